"""What a filter is: something that looks at a request or an answer and says what becomes of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from extproc.conversation import Api
from extproc.http import HeaderPairs

REFUSED: Final = 403
"""Status of a refusal that names none."""


class Phase(enum.StrEnum):
    """Which way a message goes: to an agent, or from one."""

    INPUT = "input"
    OUTPUT = "output"


class Form(enum.StrEnum):
    """What a body is."""

    JSON = "json"
    """One JSON object: a request, or a whole answer."""
    EVENTS = "events"
    """Server-sent events, each whole: their raw lines."""
    OTHER = "other"
    """An answer that is neither."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a filter looks at.

    `headers` are those that this filter may see: `x-request-id`, `traceparent`, `x-outerloop-*`
    and the ones that `forward_headers` names. `status` is an answer's, None for a request.
    """

    phase: Phase
    api: Api
    body: bytes = field(repr=False)
    form: Form = Form.JSON
    headers: HeaderPairs = field(default=(), repr=False)
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """The body goes on as it is.

    `tags` become headers `x-outerloop-tag-<name>` for rules and agents; names are of `a-z`, `0-9`
    and `-`. `note` says why, for `/decisions`; it quotes nothing of the body.
    """

    tags: HeaderPairs = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Another body goes on: of the same form, for events any number of whole ones."""

    body: bytes = field(repr=False)
    tags: HeaderPairs = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Deny:
    """Nothing goes on: the client gets `status` (400 to 599) and `message`, which is public."""

    message: str
    status: int = REFUSED
    note: str = ""


Verdict = Keep | Change | Deny

KEEP: Final = Keep()


class FilterError(Exception):
    """The filter could not do its work; the message goes to the log and quotes no content."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class Filter(Protocol):
    """A filter. It is made once for each worker and used by many requests at once."""

    async def apply(self, subject: Subject, /) -> Verdict:
        """Say what becomes of a request, a whole answer or an event. Raises `FilterError`."""
        ...


class StreamEditor(Protocol):
    """Looks at one stream of events, and may hold some back."""

    def feed(self, subject: Subject, /) -> Verdict:
        """Take the next event: `Change` with what may go on now. Raises `FilterError`."""
        ...

    def close(self) -> Verdict:
        """Let the events go that are still held back: the stream ends. Raises `FilterError`.

        After a failure, also its own, it is asked for what may go on all the same.
        """
        ...


@runtime_checkable
class StreamFilter(Filter, Protocol):
    """A filter that sees across the events of a stream."""

    def open_stream(self) -> StreamEditor:
        """Begin a stream."""
        ...
