from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
