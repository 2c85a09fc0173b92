"""What must not stand in a rendered configuration: keys of agents, certificates of listeners."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from extproc.certificates import Certificate, read_authorities, read_certificate
from extproc.config.model.agents import Agent
from extproc.config.model.listeners import Listener
from extproc.config.model.root import Config
from extproc.envoyconf.files import (
    certificate_secret,
    client_ca_secret,
    header_secret,
    key_secret,
)


@dataclass(frozen=True, slots=True)
class Text:
    """The value of a header."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authorities:
    """Certificates of authorities, PEM."""

    certificates: bytes = field(repr=False)


Secret: TypeAlias = Text | Certificate | Authorities


def secrets(config: Config) -> dict[str, Secret]:
    """Return the secrets that Envoy needs, by name; certificates are read from their files.

    Raises ValueError, naming the file, where Envoy could not use one.
    """
    return dict(
        (
            *(secret for agent in config.agents for secret in _of_agent(agent)),
            *(secret for listener in config.listeners for secret in _of_listener(listener)),
        )
    )


def _of_agent(agent: Agent) -> Iterator[tuple[str, Secret]]:
    if agent.access_key is not None:
        yield key_secret(agent.id), Text(agent.access_key.get_secret_value())
    for header, value in agent.headers.items():
        yield header_secret(agent.id, header), Text(value)


def _of_listener(listener: Listener) -> Iterator[tuple[str, Secret]]:
    tls = listener.tls
    if tls is None:
        return
    yield certificate_secret(listener.name), read_certificate(tls.certificate, tls.key)
    if tls.client_ca is not None:
        yield client_ca_secret(listener.name), Authorities(read_authorities(tls.client_ca))
