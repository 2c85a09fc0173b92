"""What must not stand in a rendered configuration: keys of agents, certificates of listeners."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from extproc.config.model.agents import Agent
from extproc.config.model.listeners import Listener, ListenerTls
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
class Certificate:
    """A certificate chain and its key, both PEM."""

    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


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
    if listener.tls is None:
        return
    yield certificate_secret(listener.name), _certificate(listener.tls)
    if listener.tls.client_ca is not None:
        yield client_ca_secret(listener.name), _authorities(listener.tls.client_ca)


def _certificate(tls: ListenerTls) -> Certificate:
    read = Certificate(_read(tls.certificate), _read(tls.key))
    try:
        # Without a password OpenSSL would ask on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            tls.certificate, tls.key, password=b""
        )
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or "not PEM"
        raise ValueError(f"{tls.certificate} and {tls.key} are no pair: {reason}") from None
    return read


def _authorities(file: str) -> Authorities:
    content = _read(file)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=content.decode())
    except (ssl.SSLError, ValueError):
        raise ValueError(f"{file} has no certificates (PEM)") from None
    return Authorities(content)


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from None
