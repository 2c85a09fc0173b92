from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extproc.supervisor.counts import FilterCounts, read
from extproc.supervisor.metrics import forget

WORKER = """
import asyncio, os
from extproc.plan import Decision, FilterOutcome, FilterRecord, Plan, Source
from extproc.recording import Outcome, Record
from extproc.telemetry.metrics import Metrics

passed = FilterRecord("guard", "input", FilterOutcome.PASSED, 250.0)
denied = FilterRecord("guard", "input", FilterOutcome.DENIED, 500.0)
plan = Plan(("a", "b"), Source.EMBEDDED)

async def work():
    metrics = Metrics()
    for outcome, decision, filters in (
        (Outcome.ROUTED, Decision("main", plan, False, 1.0), (passed,)),
        (Outcome.ERROR, Decision("main", plan, False, 1.0), (passed,)),
        (Outcome.REJECTED, None, (denied,)),
    ):
        metrics.begin()
        metrics.end(Record("r", "main", outcome, decision, filters))
    metrics.begin()
    metrics.tell()

asyncio.run(work())
print(os.getpid())
"""


def test_workers_are_added_up_and_outlived(
    tmp_path: Path, count_apart: Callable[[str], int]
) -> None:
    pids = [count_apart(WORKER) for _ in range(2)]
    counted = read(tmp_path)
    assert counted.inflight == 2
    assert counted.outcomes == {"routed": 2, "error": 2, "rejected": 2}
    assert counted.listeners == {"main": 6}
    assert counted.agents == {"b": 2}
    guard = counted.filters["guard"]
    assert (guard.outcomes, guard.calls) == ({"passed": 4, "denied": 2}, 6)
    assert guard.seconds == pytest.approx(2.0)
    for pid in pids:
        forget(tmp_path, pid)
    assert (read(tmp_path).inflight, read(tmp_path).listeners) == (0, {"main": 6})


def test_before_the_first_request(tmp_path: Path) -> None:
    counted = read(tmp_path)
    assert (counted.inflight, counted.outcomes, counted.agents, counted.filters) == (0, {}, {}, {})
    assert FilterCounts().calls == 0
