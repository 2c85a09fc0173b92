"""Spans, as those who work for a request see them; who exports them is decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from typing import Final, Literal, Protocol, Self

from extproc import traceparent

Attributes = Mapping[str, str | int | float | bool | Sequence[str]]

Kind = Literal["internal", "server", "client"]
"""Whose work it is: ours, ours for a caller, or that of somebody whom we call."""

_current: Final[ContextVar[str | None]] = ContextVar("span", default=None)


class Span(Protocol):
    """A piece of work in a trace. `traceparent` is the header for whoever is called in it."""

    @property
    def is_recording(self) -> bool:
        """False where nobody listens, and attributes need not be made."""
        ...

    @property
    def traceparent(self) -> str:
        """The W3C header of this span."""
        ...

    def set(self, attributes: Attributes) -> None:
        """Add what became known while it ran."""
        ...

    def fail(self, reason: str) -> None:
        """Say that the work failed; the reason holds no content."""
        ...


class Tracer(Protocol):
    """Starts spans under the one that a `traceparent` names."""

    @property
    def exports(self) -> bool:
        """False where no span is recorded, and attributes need not be made."""
        ...

    def start(self) -> str:
        """Return the `traceparent` of a request that came without one."""
        ...

    def span(
        self, name: str, parent: str, attributes: Attributes, kind: Kind = "internal"
    ) -> AbstractContextManager[Span]:
        """Return a span that ends with the context."""
        ...


class current(AbstractContextManager[None]):  # noqa: N801 - a context, as `contextlib` names them
    """Let calls in this context be made under `span` by those who know of no request."""

    __slots__ = ("_token", "_traceparent")

    # Each request has one: a class costs a third of what a generator would.
    def __init__(self, span: Span) -> None:
        self._traceparent = span.traceparent
        self._token: Token[str | None]

    def __enter__(self) -> None:
        self._token = _current.set(self._traceparent)

    def __exit__(self, *_error: object) -> None:
        _current.reset(self._token)


def current_traceparent() -> str | None:
    """Return the header of the span that calls are made under, None outside of one."""
    return _current.get()


class PassedOn(AbstractContextManager["PassedOn"]):
    """A span that nobody exports: it is its parent."""

    __slots__ = ("traceparent",)
    is_recording = False

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing ends."""

    def set(self, attributes: Attributes) -> None:
        """Nobody listens."""

    def fail(self, reason: str) -> None:
        """Nobody listens."""


class NoTracer:
    """Traces nothing; the context is passed on all the same."""

    exports = False

    def start(self) -> str:
        """Return the header of a trace that is not sampled."""
        return traceparent.start()

    def span(
        self,
        name: str,  # noqa: ARG002 - the Protocol's
        parent: str,
        attributes: Attributes,  # noqa: ARG002 - the Protocol's
        kind: Kind = "internal",  # noqa: ARG002 - the Protocol's
    ) -> AbstractContextManager[Span]:
        """Return a span that only knows its parent."""
        return PassedOn(parent)
