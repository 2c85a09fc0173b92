"""What the workers have counted, as numbers: read from the files behind their metrics."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.samples import Sample

from extproc.recording import Outcome


@dataclass(frozen=True, slots=True)
class FilterCounts:
    """How often a filter was asked, by what came of it, and how long all that took."""

    outcomes: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def calls(self) -> int:
        """How often it was asked at all."""
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests since the start, of all workers; names that never counted anything are missing.

    `agents` has those that were routed, by the last agent of their plan.
    """

    inflight: int
    outcomes: Mapping[str, int]
    listeners: Mapping[str, int]
    agents: Mapping[str, int]
    filters: Mapping[str, FilterCounts]


def read(folder: Path) -> Counts:
    """Return what the workers of a stack have counted, those that are gone included.

    Reads a file or more of each worker: not for an event loop.
    """
    inflight = 0
    outcomes, listeners, agents = Counter[str](), Counter[str](), Counter[str]()
    calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
    seconds: defaultdict[str, float] = defaultdict(float)
    for sample in _samples(folder):
        labels, value = sample.labels, sample.value
        match sample.name:
            case "outerloop_inflight_requests":
                inflight += int(value)
            case "outerloop_requests_total":
                outcomes[labels["outcome"]] += int(value)
                listeners[labels["listener"]] += int(value)
                if labels["outcome"] == Outcome.ROUTED:
                    agents[labels["agent"]] += int(value)
            case "outerloop_filter_seconds_count":
                calls[labels["filter"]][labels["outcome"]] += int(value)
            case "outerloop_filter_seconds_sum":
                seconds[labels["filter"]] += value
    filters = {name: FilterCounts(each, seconds[name]) for name, each in calls.items()}
    return Counts(inflight, outcomes, listeners, agents, filters)


def _samples(folder: Path) -> Iterator[Sample]:
    collector = MultiProcessCollector(CollectorRegistry(), path=str(folder))  # type: ignore[no-untyped-call] # no stubs
    for metric in collector.collect():  # type: ignore[no-untyped-call] # no stubs
        yield from metric.samples
