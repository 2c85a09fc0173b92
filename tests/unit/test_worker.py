from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

YAML = """
version: v1
agents: [{id: a, url: $AGENT}]
listeners: [{type: agent, name: l, port: 0, agents: [{id: a}]}]
"""
Worker = subprocess.Popen[str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def run(agent: str = "http://127.0.0.1:1", folder: Path = tmp_path) -> Worker:
        snapshot = tmp_path / "snapshot.yaml"
        snapshot.write_text(YAML)
        argv = (
            *(sys.executable, "-m", "extproc.worker", "--snapshot", str(snapshot)),
            *("--file", str(tmp_path / "outerloop.yaml"), "--bind", f"unix:{folder}/w.sock"),
            *("--control", str(tmp_path / "control.sock")),
            *("--generation", "4", "--notice", "0", "--drain-time", "1"),
        )
        pipe = subprocess.PIPE
        worker = subprocess.Popen(
            argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={"AGENT": agent}
        )
        workers.append(worker)
        return worker

    yield run
    for worker in workers:
        with worker:
            worker.kill()


def ready_line(worker: Worker) -> str:
    assert worker.stdout is not None
    return worker.stdout.readline()


def test_it_says_when_it_serves_and_which_generation(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    assert json.loads(ready_line(start())) == {"generation": 4}
    assert (tmp_path / "w.sock").is_socket()


def test_it_ends_with_its_supervisor(start: Callable[..., Worker]) -> None:
    worker = start()
    ready_line(worker)
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(20) == 0


def test_it_drains_on_sigterm(start: Callable[..., Worker]) -> None:
    worker = start()
    ready_line(worker)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def test_ctrl_c_is_the_supervisors_affair(start: Callable[..., Worker]) -> None:
    worker = start()
    ready_line(worker)
    worker.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(0.5)


def test_a_faulty_snapshot_ends_it_without_the_environments_values(
    start: Callable[..., Worker],
) -> None:
    worker = start(agent="ftp://very-secret")
    _, shown = worker.communicate(timeout=20)
    assert worker.returncode == 1
    (line,) = shown.splitlines()
    assert "outerloop.yaml:3:23: agents[0].url: must be a URL" in line
    assert "very-secret" not in line


def test_an_address_that_cannot_be_listened_on_is_said_without_a_traceback(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    worker = start(folder=tmp_path / "missing")
    _, shown = worker.communicate(timeout=20)
    assert worker.returncode == 1
    assert shown.splitlines()[-1] == f"cannot listen on unix:{tmp_path}/missing/w.sock"
    assert "Traceback" not in shown
    assert "Unclosed" not in shown
