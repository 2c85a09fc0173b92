"""HTTP values the pipeline reads and writes. No I/O, nothing mutable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    # It is made of these.
    from extproc.verdict import Verdict

HeaderPairs = tuple[tuple[str, str], ...]
"""Names in lower case and their values, in order; a name may stand more than once."""

Scalar = str | float | bool
Metadata = Mapping[str, Scalar]
"""Dynamic metadata for the access log and for other filters of Envoy."""

NO_METADATA: Final[Metadata] = MappingProxyType({})


class Headers:
    """Request headers in the order they came. Names are lower case and may repeat.

    Values are text in latin-1, which keeps every byte (RFC 9110, section 5.5). Immutable.
    """

    __slots__ = ("_first", "get", "pairs")

    get: Callable[[str], str | None]
    """Return the first value of a name, or None."""

    def __init__(self, pairs: HeaderPairs = ()) -> None:
        self.pairs = pairs
        # Some ten of them are asked for in each request.
        self._first = dict(reversed(pairs))
        self.get = self._first.get

    def __repr__(self) -> str:
        return f"Headers(pairs={self.pairs!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return every value of `name`, in order."""
        if name not in self._first:
            return ()
        return tuple([value for key, value in self.pairs if key == name])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)


class HttpRequest(NamedTuple):
    """One client request, whole: the headers and the complete (buffered) body."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


class Mutations(NamedTuple):
    """What happens to a request that goes on.

    `set_headers` overwrite, after those of the `verdict`, which is told in metadata too. `body`
    None leaves the bytes alone. `reroute` asks Envoy to choose the route again by the new headers.
    """

    set_headers: HeaderPairs = ()
    remove_headers: tuple[str, ...] = ()
    body: bytes | None = None
    reroute: bool = False
    verdict: Verdict | None = None

    @property
    def headers(self) -> HeaderPairs:
        """All headers that it sets."""
        told = self.verdict.headers if self.verdict is not None else ()
        return (*told, *self.set_headers)


NO_MUTATIONS: Final = Mutations()
"""The request goes on as it is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON document that the processor itself answers with."""

    body: bytes
    status: int = 200
