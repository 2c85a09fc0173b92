"""A chain of filters: each in its order, with its deadline, its failures and its record."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Final, Generic, Self, TypeVar

from extproc import names
from extproc.budget import Budget
from extproc.conversation import Api
from extproc.deadlines import Deadline
from extproc.errors import FilterDenied, FilterFailed, log_bug
from extproc.filters.api import (
    KEEP,
    Change,
    Deny,
    Filter,
    FilterError,
    Form,
    Phase,
    Subject,
    Verdict,
)
from extproc.http import HeaderPairs, Headers
from extproc.plan import FilterOutcome, FilterRecord
from extproc.spans import Span, Tracer

log = logging.getLogger(__name__)

T = TypeVar("T")

Accept = Callable[[bytes], T]
"""Reads a body that a filter gave back; raises `FilterError` where it cannot go on."""

Ask = Callable[[Subject], Awaitable[Verdict]]

_ENOUGH: Final = 3
"""Failures in a row: a stream must not wait for a dead filter at each of its events."""
_RANK: Final = tuple(FilterOutcome)
"""Of the outcomes for many events the last one in this order is recorded."""


@dataclass(frozen=True, slots=True)
class Link:
    """A filter as one chain uses it. `timeout` (seconds) is of one call.

    `agent` is the one whose filter it is, empty for the listener's. `forwards` names the request
    headers it may see beside ours. With `whole` it gets a stream at once, not event by event.
    """

    id: str
    filter: Filter
    timeout: float
    skip_failed: bool = False
    shadow: bool = False
    whole: bool = False
    forwards: frozenset[str] = frozenset()
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same for all filters of a chain on one message.

    `client` are headers of the client's request, of which each filter sees those that it
    forwards; `ours` go to all. `record` hears what each filter did. `budget` is what all of them
    may take, None where nobody waits for a decision. `status` is an answer's.
    """

    phase: Phase
    api: Api
    client: Headers
    ours: HeaderPairs
    traceparent: str
    record: Callable[[FilterRecord], None]
    budget: Budget | None = None
    status: int | None = None

    def headers(self, forwards: frozenset[str], traceparent: str) -> HeaderPairs:
        """Return what a filter is told beside the body."""
        headers = (
            *self.ours,
            (names.HEADER_PHASE, self.phase.value),
            (names.HEADER_TRACEPARENT, traceparent),
        )
        if self.status is not None:
            headers += ((names.HEADER_STATUS, str(self.status)),)
        if not forwards:
            return headers
        return (*headers, *((name, value) for name, value in self.client if name in forwards))


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a chain left: the body as `accept` read it, None where nobody changed it; the tags."""

    changed: T | None
    tags: HeaderPairs = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """Filters in the order they run."""

    links: tuple[Link, ...]
    tracer: Tracer = field(repr=False)

    async def run(
        self, body: bytes, setting: Setting, accept: Accept[T], form: Form = Form.JSON
    ) -> Outcome[T]:
        """Put a whole body through all filters.

        Raises `FilterDenied` and `FilterFailed`: what follows in the chain is not asked then.
        """
        changed: T | None = None
        tags: dict[str, str] = {}
        for link in self.links:
            with Visit(link, setting, self.tracer) as visit:
                verdict, value = await visit.ask(body, form, accept, tuple(tags.items()))
            if isinstance(verdict, Change):
                body, changed = verdict.body, value
            if not isinstance(verdict, Deny):
                tags |= {names.HEADER_TAG + name: text for name, text in verdict.tags}
        return Outcome(changed, tuple(tags.items()))


class Visit(AbstractContextManager["Visit"]):
    """One filter at work on one message: on its whole body, or on the events of a stream."""

    def __init__(self, link: Link, setting: Setting, tracer: Tracer) -> None:
        self.link = link
        self._setting = setting
        self._exits = ExitStack()
        self._tracer = tracer
        self._outcome = FilterOutcome.PASSED
        self._notes: dict[str, None] = {}
        self._calls = 0
        self._failures = 0
        self._seconds = 0.0

    def __enter__(self) -> Self:
        attributes = {
            "outerloop.filter": self.link.id,
            "outerloop.phase": self._setting.phase.value,
            "outerloop.shadow": self.link.shadow,
        }
        span = self._tracer.span(f"filter {self.link.id}", self._setting.traceparent, attributes)
        self._span: Span = self._exits.enter_context(span)
        self._headers = self._setting.headers(self.link.forwards, self._span.traceparent)
        return self

    def __exit__(self, *_error: object) -> None:
        record = FilterRecord(
            filter=self.link.id,
            phase=self._setting.phase.value,
            outcome=self._outcome,
            milliseconds=self._seconds * 1000,
            agent=self.link.agent,
            shadow=self.link.shadow,
            note="; ".join(self._notes),
            calls=self._calls,
        )
        self._setting.record(record)
        self._span.set({"outerloop.outcome": record.label, "outerloop.calls": record.calls})
        if self._outcome in {FilterOutcome.FAILED, FilterOutcome.SKIPPED}:
            self._span.fail("the filter failed")
        self._exits.close()

    async def ask(
        self,
        body: bytes,
        form: Form,
        accept: Accept[T],
        tags: HeaderPairs = (),
        apply: Ask | None = None,
    ) -> tuple[Verdict, T | None]:
        """Return what the filter says, and the body that it gives, as `accept` reads it.

        In shadow, and where a failure is skipped, it has nothing to say; after some failures in a
        row, or one that took all its time, it is not asked again. `apply` is asked instead of the
        filter itself. Raises `FilterDenied` and `FilterFailed`.
        """
        if self._failures >= _ENOUGH:
            return KEEP, None
        setting = self._setting
        headers = (*self._headers, *tags)
        subject = Subject(setting.phase, setting.api, body, form, headers, setting.status)
        value: T | None = None
        started = time.perf_counter()
        try:
            with Deadline(self._patience()):
                verdict = _checked(await (apply or self.link.filter.apply)(subject))
            if isinstance(verdict, Change):
                value = accept(verdict.body)
        except asyncio.CancelledError:
            self._settle(FilterOutcome.FAILED, "given up: the client left, or no time was left")
            raise
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises, it has failed
            self._failed(error)
            return KEEP, None
        finally:
            self._calls += 1
            self._seconds += time.perf_counter() - started
        self._failures = 0
        self._heard(verdict)
        return (KEEP, None) if self.link.shadow else (verdict, value)

    def fail(self, reason: str) -> None:
        """Take note that the filter cannot be asked. Raises `FilterFailed` unless skipped."""
        self._failed(FilterError(reason))

    def _patience(self) -> float:
        """Return how long a call may take: one that only watches leaves time for what counts."""
        budget = self._setting.budget
        if self.link.shadow and budget is not None:
            return min(self.link.timeout, budget.left / 2)
        return self.link.timeout

    def _heard(self, verdict: Verdict) -> None:
        if isinstance(verdict, Deny):
            outcome = FilterOutcome.DENIED
        elif isinstance(verdict, Change):
            outcome = FilterOutcome.CHANGED
        else:
            outcome = FilterOutcome.TAGGED if verdict.tags else FilterOutcome.PASSED
        self._settle(outcome, verdict.note)
        if isinstance(verdict, Deny) and not self.link.shadow:
            raise FilterDenied(self.link.id, verdict.status, verdict.message)

    def _failed(self, error: Exception) -> None:
        late = isinstance(error, TimeoutError)
        if isinstance(error, FilterError):
            late, reason = error.timed_out, str(error)
        else:
            reason = "no answer in time" if late else f"internal error {log_bug(error)}"
        self._failures += _ENOUGH if late else 1
        request_id = dict(self._setting.ours).get(names.HEADER_REQUEST_ID, "")
        log.warning("filter %s failed: %s (request %.128s)", self.link.id, reason, request_id)
        skipped = self.link.skip_failed and not self.link.shadow
        self._settle(FilterOutcome.SKIPPED if skipped else FilterOutcome.FAILED, reason)
        if not self.link.skip_failed and not self.link.shadow:
            raise FilterFailed(self.link.id, timed_out=late)

    def _settle(self, outcome: FilterOutcome, note: str) -> None:
        self._outcome = max(self._outcome, outcome, key=_RANK.index)
        if note and len(self._notes) < _MOST_NOTES:
            self._notes[note] = None


def _checked(verdict: object) -> Verdict:
    """Return what a filter returned; a plug-in may have forgotten to."""
    if isinstance(verdict, Verdict):
        return verdict
    raise FilterError("it returned no verdict")


_MOST_NOTES: Final = 8
"""A stream may have many events, and each its own note."""
