from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from extproc.cli import failures
from extproc.cli.app import cli

YAML = """
version: v1
agents:
  - {id: weather, url: http://127.0.0.1:1}
  - {id: flights, url: http://127.0.0.1:2}
listeners:
  - type: agent
    name: travel
    port: 0
    agents:
      - {id: weather, description: Weather forecasts for any city.}
      - {id: flights, description: Finds and books flights.}
"""


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def outerloop(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run the command line in this process."""

    def run(*arguments: str) -> Result:
        code = failures.run(
            lambda: cli.main(list(arguments), prog_name="outerloop", standalone_mode=False),
            debug=False,
        )
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A valid configuration with one listener."""
    path = tmp_path / "outerloop.yaml"
    path.write_text(YAML)
    return path


@pytest.fixture
def two_listeners(tmp_path: Path) -> Path:
    """The same with a second listener, `other`, that offers flights alone."""
    path = tmp_path / "two.yaml"
    path.write_text(YAML + "  - {type: agent, name: other, port: 0, agents: [{id: flights}]}\n")
    return path
