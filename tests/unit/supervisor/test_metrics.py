from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from extproc.supervisor.figures import AgentFigures, Bucket, Times
from extproc.supervisor.metrics import exposition, forget

WORKER = """
import os
from extproc.plan import Decision, Plan, Source
from extproc.recording import Outcome, Record
from extproc.telemetry.metrics import Metrics

metrics = Metrics()
metrics.begin()
decision = Decision("main", Plan(("a",), Source.EMBEDDED), False, 1.0)
metrics.end(Record("r", "main", Outcome.ROUTED, decision))
metrics.begin()
print(os.getpid())
"""


def worker(folder: Path) -> int:
    """Count one request in a process of its own, which dies with another in flight."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        check=True,
    )
    return int(done.stdout)


def test_workers_are_added_up_and_outlived(tmp_path: Path) -> None:
    pids = [worker(tmp_path) for _ in range(2)]
    shown = exposition(tmp_path).decode()
    labels = 'agent="a",listener="main",outcome="routed",source="embedded"'
    assert f"outerloop_requests_total{{{labels}}} 2.0" in shown
    assert "outerloop_inflight_requests 2.0" in shown
    for pid in pids:
        forget(tmp_path, pid)
    shown = exposition(tmp_path).decode()
    assert f"outerloop_requests_total{{{labels}}} 2.0" in shown
    assert "outerloop_inflight_requests 2.0" not in shown


def test_agents_are_shown_beside_the_workers(tmp_path: Path) -> None:
    worker(tmp_path)
    times = Times((Bucket(4, 0.1, 1), Bucket(42, 1, 2), Bucket(700_000, 10_000, 1)), 42.5, 705_000)
    responses = {"2xx": 3, "3xx": 0, "4xx": 0, "5xx": 2}
    canary = AgentFigures("hotel", "canary", responses, 1, 2, times)
    plain = AgentFigures("weather", "", dict.fromkeys(responses, 0), 0, 1, Times())
    shown = exposition(tmp_path, (canary, plain)).decode().splitlines()
    for line in (
        'outerloop_agent_responses_total{agent="hotel",status_class="5xx",variant="canary"} 2.0',
        'outerloop_agent_responses_total{agent="weather",status_class="2xx",variant=""} 0.0',
        'outerloop_agent_response_seconds_bucket{agent="hotel",le="0.005",variant="canary"} 1.0',
        'outerloop_agent_response_seconds_bucket{agent="hotel",le="0.05",variant="canary"} 3.0',
        'outerloop_agent_response_seconds_bucket{agent="hotel",le="600.0",variant="canary"} 3.0',
        'outerloop_agent_response_seconds_bucket{agent="hotel",le="+Inf",variant="canary"} 4.0',
        'outerloop_agent_response_seconds_count{agent="hotel",variant="canary"} 4.0',
        'outerloop_agent_response_seconds_sum{agent="hotel",variant="canary"} 705.0875',
        'outerloop_agent_response_seconds_count{agent="weather",variant=""} 0.0',
        'outerloop_agent_hosts{agent="hotel",state="healthy",variant="canary"} 1.0',
        'outerloop_agent_hosts{agent="hotel",state="total",variant="canary"} 2.0',
        "outerloop_inflight_requests 1.0",
    ):
        assert line in shown


def test_without_envoy_nothing_is_said_of_agents(tmp_path: Path) -> None:
    assert b"outerloop_agent_" not in exposition(tmp_path)


def test_reloads_are_counted_by_their_outcome_from_the_start(tmp_path: Path) -> None:
    shown = exposition(tmp_path, reloads={"applied": 3, "rejected": 0}).decode().splitlines()
    assert 'outerloop_config_reloads_total{outcome="applied"} 3.0' in shown
    assert 'outerloop_config_reloads_total{outcome="rejected"} 0.0' in shown
