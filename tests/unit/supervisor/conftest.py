from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extproc.address import PipeAddress
from extproc.supervisor.stack import WorkerSettings

YAML = """
version: v1
agents: [{id: a, url: "http://127.0.0.1:1"}]
listeners: [{type: agent, name: l, port: 0, agents: [{id: a}]}]
"""


@pytest.fixture
def worker_settings(tmp_path: Path) -> Callable[..., WorkerSettings]:
    """Settings of workers on unix sockets in the test's folder."""

    def make(yaml: str = YAML, workers: int = 1) -> WorkerSettings:
        snapshot = tmp_path / "outerloop.yaml"
        snapshot.write_text(yaml)
        return WorkerSettings(
            snapshot=snapshot,
            folder=tmp_path,
            file="outerloop.yaml",
            bind=tuple(PipeAddress(str(tmp_path / f"w{index}.sock")) for index in range(workers)),
            egress=None,
            notice=0.0,
            drain_time=5.0,
            log_level="info",
        )

    return make
