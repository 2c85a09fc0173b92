"""Calls that the processor makes itself: to models, filters and earlier agents.

Strategies and filters see this Protocol; what carries a call is decided where all is put together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from extproc.forwarding import Credentials
from extproc.http import Headers
from extproc.origin import Origin


@dataclass(frozen=True, slots=True)
class Target:
    """A service that is called. `name` is its route on the egress listener, unique in a file.

    `credentials` are for calls past that listener, which has them itself. One that has no address
    can be called through a gateway alone, which knows it by its route.
    """

    name: str
    origin: Origin
    credentials: Credentials = field(default_factory=Credentials)
    has_address: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """One request, mostly a POST. `path` is the whole path; `timeout` (seconds) covers everything.

    `max_bytes` is the most that is read of the answer.
    """

    target: Target
    path: str
    body: bytes = field(repr=False)
    timeout: float
    max_bytes: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Arriving:
    """An answer whose body is still to come; `chunks` raises `CallFailed` where it breaks off."""

    status: int
    headers: Headers
    chunks: AsyncIterator[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whole, whatever its status. An encoding of the body has been undone."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)


class CallFailed(Exception):
    """No whole answer: refused, cut, too large, or (`timed_out`) too late.

    The message names the target and the kind of failure, never content.
    """

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class Caller(Protocol):
    """Makes calls. May be used by many tasks at once; cancelling a call closes its connection."""

    async def __call__(self, call: Call, /) -> Response:
        """Return the answer, redirects included as they are. Raises `CallFailed`."""
        ...


class Opener(Protocol):
    """Makes calls whose answers are read as they come."""

    def open(self, call: Call, /) -> AbstractAsyncContextManager[Arriving]:
        """Return the answer as it arrives; leaving the context ends it. Raises `CallFailed`."""
        ...
