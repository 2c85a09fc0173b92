from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from extproc.supervisor.figures import AgentFigures, Figures, Times
from extproc.supervisor.metrics import StackFigures, exposition, forget

STACK = StackFigures(
    version="1.2.3",
    generation=4,
    in_force=True,
    reloads={"applied": 3, "rejected": 0},
    workers={"ready": 2, "down": 0},
    deaths={"worker": 1},
)

WORKER = """
import asyncio, os
from extproc.plan import Decision, Plan, Source
from extproc.recording import Outcome, Record
from extproc.telemetry.metrics import Metrics

async def work():
    metrics = Metrics()
    metrics.begin()
    decision = Decision("main", Plan(("a",), Source.EMBEDDED), False, 1.0)
    metrics.end(Record("r", "main", Outcome.ROUTED, decision))
    metrics.begin()
    metrics.tell()

asyncio.run(work())
print(os.getpid())
"""


def test_workers_are_added_up_and_outlived(
    tmp_path: Path, count_apart: Callable[[str], int]
) -> None:
    pids = [count_apart(WORKER) for _ in range(2)]
    shown = exposition(tmp_path, STACK).decode()
    labels = 'agent="a",listener="main",outcome="routed",source="embedded"'
    assert f"outerloop_requests_total{{{labels}}} 2.0" in shown
    assert "outerloop_inflight_requests 2.0" in shown
    for pid in pids:
        forget(tmp_path, pid)
    shown = exposition(tmp_path, STACK).decode()
    assert f"outerloop_requests_total{{{labels}}} 2.0" in shown
    assert "outerloop_inflight_requests 2.0" not in shown


def test_without_envoy_nothing_is_said_of_it(tmp_path: Path) -> None:
    shown = exposition(tmp_path, STACK)
    assert b"outerloop_agent_" not in shown
    assert b"outerloop_listener_" not in shown


def test_envoys_figures_are_shown_beside_the_workers(
    tmp_path: Path, count_apart: Callable[[str], int]
) -> None:
    count_apart(WORKER)
    agent = AgentFigures("weather", "", dict.fromkeys(("2xx", "5xx"), 0), 0, 1, Times())
    shown = exposition(tmp_path, STACK, Figures((agent,))).decode().splitlines()
    labels = 'agent="weather",status_class="2xx",variant=""'
    assert f"outerloop_agent_responses_total{{{labels}}} 0.0" in shown
    assert "outerloop_inflight_requests 1.0" in shown


def test_the_stacks_own_from_the_start(tmp_path: Path) -> None:
    shown = exposition(tmp_path, STACK).decode().splitlines()
    for line in (
        'outerloop_config_reloads_total{outcome="applied"} 3.0',
        'outerloop_config_reloads_total{outcome="rejected"} 0.0',
        "outerloop_config_generation 4.0",
        "outerloop_config_last_reload_successful 1.0",
        'outerloop_workers{status="ready"} 2.0',
        'outerloop_workers{status="down"} 0.0',
        'outerloop_deaths_total{process="worker"} 1.0',
        'outerloop_build_info{version="1.2.3"} 1.0',
    ):
        assert line in shown
