"""Which of a request's headers go on with it when the processor itself calls an agent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from extproc.http import HeaderPairs
from extproc.names import HEADER_HOPS, HEADER_TRACEPARENT, PATH_MESSAGES

CREDENTIALS: Final = ("authorization", "x-api-key")
"""Headers by which the clients of the APIs say who they are."""

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


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an agent gets beside the client's headers, or in place of its credentials.

    `key` is the agent's own `access_key`; without `forward` it gets none of the client's.
    """

    forward: bool = True
    key: str | None = field(default=None, repr=False)
    headers: HeaderPairs = field(default=(), repr=False)

    def applied(self, headers: Iterable[tuple[str, str]], path: str) -> Iterator[tuple[str, str]]:
        """Yield the headers of a request for `path` as the agent gets them."""
        own = dict(self.headers)
        if self.key is not None and path.partition("?")[0].endswith(PATH_MESSAGES):
            own["x-api-key"] = self.key
        elif self.key is not None:
            own["authorization"] = f"Bearer {self.key}"
        for name, value in headers:
            if name not in own and (self.forward or name not in CREDENTIALS):
                yield name, value
        yield from own.items()


def passed_loops(value: str | None) -> int:
    """Return how many outer loops a request has passed, by its header; nonsense counts as none."""
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 3:  # noqa: PLR2004 - nobody passes a thousand
        return 0
    return int(value)


class Trail(NamedTuple):
    """The way of a request so far, as every agent of its plan gets to know it.

    Its `traceparent` is a valid one (W3C trace context).
    """

    traceparent: str
    loops: int

    @property
    def trace_id(self) -> str:
        """The id of its trace."""
        return self.traceparent[3:35]

    def headers(self, traceparent: str | None = None) -> tuple[tuple[str, str], ...]:
        """Return its headers, for what runs under `traceparent` where it is given."""
        return (
            (HEADER_TRACEPARENT, traceparent or self.traceparent),
            (HEADER_HOPS, str(self.loops)),
        )
