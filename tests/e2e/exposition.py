"""What `GET /metrics` says, as numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import httpx
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from extproc.plan import FilterOutcome, Source, StepOutcome
from extproc.recording import Outcome
from extproc.supervisor.figures import STATUS_CLASSES
from extproc.supervisor.process import Status

FILTER_OUTCOMES = {f"{shadow}{each.value}" for each in FilterOutcome for shadow in ("", "shadow_")}
ENUMERATED: Mapping[str, set[str]] = {
    "source": {*(each.value for each in Source), ""},
    "strategy": {each.value for each in Source},
    "direction": {"input", "output"},
    "state": {"healthy", "ejected", "total"},
    "limit": {"connections", "pending_requests", "requests", "retries"},
    "status_class": set(STATUS_CLASSES),
    "status": {each.value for each in Status},
    "process": {"worker", "envoy"},
}
OUTCOMES = {
    "outerloop_requests": {each.value for each in Outcome},
    "outerloop_filter_seconds": FILTER_OUTCOMES,
    "outerloop_step_seconds": {each.value for each in StepOutcome},
    "outerloop_config_reloads": {"applied", "rejected"},
}
Key = tuple[str, frozenset[tuple[str, str]]]
MERGE = 5.5
"""Seconds: Envoy adds up its threads' histograms every five."""
DEADLINE = 40.0


def enumerated(name: str, label: str) -> set[str]:
    """Return the values that this program knows for a label of a metric; none for names."""
    if label == "outcome":
        return next(values for prefix, values in OUTCOMES.items() if name.startswith(prefix))
    return ENUMERATED.get(label, set())


def key(name: str, **labels: str) -> Key:
    return name, frozenset(labels.items())


def families(admin: str) -> Iterable[Metric]:
    response = httpx.get(f"{admin}/metrics", timeout=20)
    assert response.status_code == 200
    return text_string_to_metric_families(response.text)


def samples(admin: str) -> dict[Key, float]:
    """Return every sample by its name and labels; none is there twice."""
    found: dict[Key, float] = {}
    for family in families(admin):
        for sample in family.samples:
            assert key(sample.name, **sample.labels) not in found
            found[key(sample.name, **sample.labels)] = sample.value
    return found


def counted(admin: str) -> dict[Key, float]:
    """Return what only grows and is not zero: counters, and how often histograms measured."""
    kinds = {"counter": "_total", "histogram": "_count"}
    return {
        key(sample.name, **sample.labels): sample.value
        for family in families(admin)
        for sample in family.samples
        if family.type in kinds and sample.name.endswith(kinds[family.type]) and sample.value
    }


def growth(before: Mapping[Key, float], after: Mapping[Key, float]) -> dict[Key, float]:
    """Return by how much each sample has grown, where it has."""
    return {name: more for name in after if (more := after[name] - before.get(name, 0))}


T = TypeVar("T")


def settled(look: Callable[[], T]) -> T:
    """Return what is seen when nothing of before can be missing any more."""
    time.sleep(MERGE)
    return look()


def eventually(look: Callable[[], object], wanted: object, timeout: float = DEADLINE) -> None:
    """Wait until `look` sees what is wanted, or fail with what it saw last."""
    end = time.monotonic() + timeout
    while (seen := look()) != wanted and time.monotonic() < end:
        time.sleep(0.2)
    assert seen == wanted
