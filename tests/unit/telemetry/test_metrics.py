from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from extproc.plan import Decision, Plan, Source
from extproc.recording import Outcome, Record
from extproc.telemetry.metrics import Metrics


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_a_request_is_counted_with_its_decision_and_steps(
    record: Callable[..., Record],
) -> None:
    labels = {"listener": "main", "agent": "b", "source": "model", "outcome": "routed"}
    before = value("outerloop_requests_total", **labels)
    decisions = value("outerloop_decision_seconds_sum", strategy="model")
    steps = value("outerloop_step_seconds_sum", agent="a", outcome="failed")
    metrics = Metrics()
    metrics.begin()
    metrics.end(record())
    metrics.tell()
    assert value("outerloop_requests_total", **labels) == before + 1
    assert value("outerloop_decision_seconds_sum", strategy="model") == decisions + 0.25
    assert value("outerloop_step_seconds_sum", agent="a", outcome="failed") == steps + 1.5


@given(st.lists(st.floats(0, 40), min_size=1, max_size=20))
async def test_decisions_at_once_are_counted_as_one_by_one(seconds: list[float]) -> None:
    def seen() -> dict[str, float]:
        return {
            f"{sample.name} {sample.labels.get('le')}": sample.value
            for metric in REGISTRY.collect()
            for sample in metric.samples
            if sample.name.startswith("outerloop_decision_seconds_")
            and sample.labels["strategy"] == "rule"
            and not sample.name.endswith("created")
        }

    def tell(*together: float) -> dict[str, float]:
        before, metrics = seen(), Metrics()
        for _ in together:
            metrics.begin()
        for each in together:
            decision = Decision("main", Plan(("a",), Source.RULE), False, each * 1000)
            metrics.end(Record("", "main", Outcome.ROUTED, decision))
        metrics.tell()
        return {name: now - before.get(name, 0.0) for name, now in seen().items()}

    tell(0.0)
    alone: Counter[str] = Counter()
    for each in seconds:
        alone.update(tell(each))
    assert tell(*seconds) == pytest.approx(dict(alone))


async def test_a_request_without_a_decision_is_counted_too(record: Callable[..., Record]) -> None:
    labels = {"listener": "", "agent": "", "source": "", "outcome": "rejected"}
    before = value("outerloop_requests_total", **labels)
    metrics = Metrics()
    metrics.begin()
    metrics.end(record(outcome=Outcome.REJECTED, listener="", decision=None))
    metrics.tell()
    assert value("outerloop_requests_total", **labels) == before + 1


async def told(count: float) -> None:
    async with asyncio.timeout(10):
        while value("outerloop_inflight_requests") != count:
            await asyncio.sleep(0.01)


async def test_requests_in_flight_come_and_go(record: Callable[..., Record]) -> None:
    metrics = Metrics()
    await told(0)
    metrics.begin()
    metrics.begin()
    await told(2)
    metrics.end(record())
    await told(1)
    metrics.end(record())
    await told(0)
    metrics.begin()
    await told(1)
    metrics.end(record())
    await told(0)
