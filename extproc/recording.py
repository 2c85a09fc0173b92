"""What is recorded of each request, and the Protocol of who records it."""

from __future__ import annotations

import enum
from typing import NamedTuple, Protocol

from extproc.capturing import NOTHING, Captured
from extproc.errors import Reject
from extproc.http import Answer, Mutations
from extproc.plan import Decision, FilterRecord


class Outcome(enum.StrEnum):
    """How our part of a request ended."""

    ROUTED = "routed"
    REJECTED = "rejected"
    ERROR = "error"
    CANCELLED = "cancelled"


class Record(NamedTuple):
    """One request; of its content only what is `captured`.

    `listener` is empty where none was found. `filters` are those of the request; those of the
    answer come by `Recorder.answered`, perhaps to another worker, under the id `exchange`.
    """

    request_id: str
    listener: str
    outcome: Outcome
    decision: Decision | None = None
    filters: tuple[FilterRecord, ...] = ()
    exchange: str = ""
    captured: Captured = NOTHING


_SERVER_ERROR = 500


def outcome_of(result: Mutations | Reject | Answer) -> Outcome:
    """Name how a request ended that was not given up."""
    if not isinstance(result, Reject):
        return Outcome.ROUTED
    return Outcome.ERROR if result.status >= _SERVER_ERROR else Outcome.REJECTED


class Recorder(Protocol):
    """Keeps records. Called on the request path: must not wait."""

    def begin(self) -> None:
        """A request is being decided from now on."""
        ...

    def end(self, record: Record) -> None:
        """The request that began is decided; called once for each `begin`."""
        ...

    def answered(self, exchange: str, filters: tuple[FilterRecord, ...]) -> None:
        """The filters of an answer have ended."""
        ...
