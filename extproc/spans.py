"""Spans, as those who work for a request see them; who exports them is decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from extproc import traceparent

Attributes = Mapping[str, str | int | float | bool]


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

    def span(self, name: str, parent: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """Return a span that ends with the context."""
        ...


class _PassedOn:
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

    def span(self, name: str, parent: str, attributes: Attributes) -> AbstractContextManager[Span]:  # noqa: ARG002 - the Protocol's
        """Return a span that only knows its parent."""
        return nullcontext(_PassedOn(parent))
