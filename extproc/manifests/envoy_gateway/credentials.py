"""What an agent gets in place of the caller's credentials: Secrets, of which only names stand here.

Envoy Gateway injects one header per backend, from the key `credential` of a Secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from extproc import names
from extproc.config.model.agents import Agent
from extproc.manifests.envoy_gateway.objects import Place
from extproc.manifests.envoy_gateway.routes import referred
from extproc.manifests.source import Document, Unrenderable
from extproc.manifests.variables import Variables


@dataclass(frozen=True, slots=True)
class Injection:
    """A header from a Secret, in requests for `paths`; `what` says what the Secret must hold."""

    header: str
    secret: str
    paths: tuple[str, ...]
    what: str

    def document(self, place: Place) -> Document:
        """Return the filter that puts the header in."""
        credential = {"valueRef": {"kind": "Secret", "name": self.secret}}
        spec = {"header": self.header, "overwrite": True, "credential": credential}
        return place.document("HTTPRouteFilter", self.secret, {"credentialInjection": spec})

    def reference(self) -> dict[str, Any]:
        """Return the filter of a backend that refers to it."""
        return referred(self.secret)


def injections(agent: Agent, place: Place, variables: Variables) -> tuple[Injection, ...]:
    """Return what is injected for an agent. Raises `Unrenderable` where it is too much."""
    from_variables = variables.among(agent)
    own = [f"agents[{agent.id}].headers.{each}" for each in from_variables]
    if agent.access_key is not None:
        own.insert(0, f"agents[{agent.id}].access_key")
    if len(own) > 1:
        raise Unrenderable(
            f"{', '.join(own)}: Envoy Gateway takes one header of an agent from a Secret: write "
            "out what is none, without a variable"
        )
    return (*_access_key(agent, place), *_headers(agent, place, from_variables))


def _access_key(agent: Agent, place: Place) -> Iterator[Injection]:
    if agent.access_key is None:
        return
    bearer = tuple(path for path in names.PATHS if path != names.PATH_MESSAGES)
    named = place.named("bearer", agent.id)
    yield Injection("authorization", named, bearer, "`Bearer ` and the access_key")
    # Anthropic's API wants the key in a header of its own.
    named = place.named("key", agent.id)
    yield Injection("x-api-key", named, (names.PATH_MESSAGES,), "the access_key")


def _headers(agent: Agent, place: Place, headers: tuple[str, ...]) -> Iterator[Injection]:
    for header in headers:
        named = place.named("header", agent.id, header)
        yield Injection(header, named, names.PATHS, f"the value of {header}")
