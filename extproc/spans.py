"""Spans, as those who work for a request see them; who exports them is decided elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final, Literal, Protocol

from extproc import traceparent

Attributes = Mapping[str, str | int | float | bool | Sequence[str]]

Kind = Literal["internal", "server", "client"]
"""Whose work it is: ours, ours for a caller, or that of somebody whom we call."""

_current: Final[ContextVar[str | None]] = ContextVar("span", default=None)


class Span(Protocol):
    """A piece of work in a trace. `traceparent` is the header for whoever is called in it."""

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

    def start(self) -> str:
        """Return the `traceparent` of a request that came without one."""
        ...

    def span(
        self, name: str, parent: str, attributes: Attributes, kind: Kind = "internal"
    ) -> AbstractContextManager[Span]:
        """Return a span that ends with the context."""
        ...


@contextmanager
def current(span: Span) -> Iterator[None]:
    """Let calls in this context be made under `span` by those who know of no request."""
    token = _current.set(span.traceparent)
    try:
        yield
    finally:
        _current.reset(token)


def current_traceparent() -> str | None:
    """Return the header of the span that calls are made under, None outside of one."""
    return _current.get()


class PassedOn:
    """A span that nobody exports: it is its parent."""

    __slots__ = ("traceparent",)

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def set(self, attributes: Attributes) -> None:
        """Nobody listens."""

    def fail(self, reason: str) -> None:
        """Nobody listens."""


class NoTracer:
    """Traces nothing; the context is passed on all the same."""

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
        return nullcontext(PassedOn(parent))
