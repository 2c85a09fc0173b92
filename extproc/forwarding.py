"""Which of a request's headers go on with it when the processor itself calls an agent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from extproc.names import HEADER_HOPS, HEADER_TRACEPARENT

_OF_THE_CONNECTION: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""They end at each hop (RFC 9110, section 7.6.1)."""

_SET_ANEW: Final = frozenset(
    {
        "accept-encoding",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        HEADER_HOPS,
        HEADER_TRACEPARENT,
    }
)
_GATEWAYS: Final = ("x-outerloop-", "x-envoy-")


def forwarded(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the client's headers that an agent gets, credentials among them.

    As Envoy does for the last agent, the host that the client asked for goes on beside the
    agent's own.
    """
    host = None
    for name, value in headers:
        if name == ":authority":
            host = value
        if name.startswith((":", *_GATEWAYS)):
            continue
        if name not in _OF_THE_CONNECTION and name not in _SET_ANEW:
            yield name, value
    if host is not None:
        yield "x-forwarded-host", host


def passed_loops(value: str | None) -> int:
    """Return how many outer loops a request has passed, by its header; nonsense counts as none."""
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 3:  # noqa: PLR2004 - nobody passes a thousand
        return 0
    return int(value)


@dataclass(frozen=True, slots=True)
class Trail:
    """The way of a request so far, as every agent of its plan gets to know it."""

    traceparent: str
    loops: int

    def headers(self, traceparent: str | None = None) -> tuple[tuple[str, str], ...]:
        """Return its headers, for what runs under `traceparent` where it is given."""
        return (
            (HEADER_TRACEPARENT, traceparent or self.traceparent),
            (HEADER_HOPS, str(self.loops)),
        )
