"""Prometheus metrics of one worker, in files that the supervisor adds up over all workers.

`PROMETHEUS_MULTIPROC_DIR` must be set before this module is imported: so counts survive the
worker that made them. Labels take values from the configuration alone.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter as Counted
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from extproc.plan import FilterRecord, StepRecord
from extproc.recording import Record

_DECISION_BUCKETS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
_STEP_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

_REQUESTS: Final = Counter(
    "outerloop_requests_total",
    "Requests by agent, by who decided, and by how our part of them ended",
    ("listener", "agent", "source", "outcome"),
)


class _Histogram(Histogram):
    """A histogram that takes many figures at once."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """Observe each of them: of the sum and of each bucket one change is made."""
        # What `observe` does for one; the library has nothing for several.
        self._sum.inc(sum(amounts))
        buckets = [bisect_left(self._upper_bounds, amount) for amount in amounts]
        for bucket in set(buckets):
            self._buckets[bucket].inc(buckets.count(bucket))


_DECISION: Final = _Histogram(
    "outerloop_decision_seconds",
    "Time from a whole request to its plan, by who decided",
    ("strategy",),
    buckets=_DECISION_BUCKETS,
)
_STEP: Final = Histogram(
    "outerloop_step_seconds",
    "Calls of agents before the last one of a plan",
    ("agent", "outcome"),
    buckets=_STEP_BUCKETS,
)
_FILTER: Final = Histogram(
    "outerloop_filter_seconds",
    "Filters at work, on a request or on an answer",
    ("filter", "outcome"),
    buckets=_DECISION_BUCKETS,
)
_TOLD_EACH: Final = 0.1
_INFLIGHT: Final = Gauge(
    "outerloop_inflight_requests",
    "Requests being decided, or with earlier agents running",
    multiprocess_mode="livesum",
)


class Metrics:
    """Counts records, on an event loop.

    What happens with each request is told each 0.1 s while there are any, and when `tell` is
    called: to tell a figure costs a lock and a write, whether it is of one request or of many.
    """

    def __init__(self) -> None:
        self._running = 0
        self._told = 0
        self._telling = False
        self._ended: Counted[tuple[str, str, str, str]] = Counted()
        self._decided: defaultdict[str, list[float]] = defaultdict(list)

    def begin(self) -> None:
        """One more request is being decided."""
        self._running += 1
        if not self._telling:
            self._tell_later()

    def end(self, record: Record) -> None:
        """It is decided."""
        self._running -= 1
        decision = record.decision
        outcome = record.outcome.value
        if decision is None:
            self._ended[record.listener, "", "", outcome] += 1
        else:
            source = decision.plan.source.value
            self._ended[record.listener, decision.agent, source, outcome] += 1
            self._decided[source].append(decision.milliseconds / 1000)
            for step in decision.steps:
                _observe_step(step)
        for each in record.filters:
            _observe_filter(each)

    def tell(self) -> None:
        """Tell all that happened until now."""
        if self._running != self._told:
            self._told = self._running
            _INFLIGHT.set(self._told)
        for labels, count in self._ended.items():
            _requests(*labels).inc(count)
        for source, seconds in self._decided.items():
            _decision(source).observe_all(seconds)
        self._ended.clear()
        self._decided.clear()

    def _tell_later(self) -> None:
        self._telling = True
        asyncio.get_running_loop().call_later(_TOLD_EACH, self._tell_again)

    def _tell_again(self) -> None:
        self.tell()
        self._telling = False
        if self._running:
            self._tell_later()

    def answered(self, exchange: str, filters: tuple[FilterRecord, ...]) -> None:  # noqa: ARG002 - the Protocol's
        """Count the filters of an answer."""
        for each in filters:
            _observe_filter(each)


def _observe_step(step: StepRecord) -> None:
    _step(step.agent, step.outcome.value).observe(step.milliseconds / 1000)


def _observe_filter(record: FilterRecord) -> None:
    _filter(record.filter, record.label).observe(record.milliseconds / 1000)


# Looking a child up costs more than counting; there are as many as agents, not as requests.
@cache
def _requests(listener: str, agent: str, source: str, outcome: str) -> Counter:
    return _REQUESTS.labels(listener, agent, source, outcome)


@cache
def _decision(strategy: str) -> _Histogram:
    return _DECISION.labels(strategy)


@cache
def _step(agent: str, outcome: str) -> Histogram:
    return _STEP.labels(agent, outcome)


@cache
def _filter(filter_id: str, outcome: str) -> Histogram:
    return _FILTER.labels(filter_id, outcome)
