"""What keeps `up` and `serve` from starting is said in a line, with the right exit code."""

from __future__ import annotations

import os
import site
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

ROOT = Path(__file__).parents[2]
OUTERLOOP = str(Path(sys.executable).parent / "outerloop")
MINIMAL = """
version: v1
agents: [{{id: a, url: "http://127.0.0.1:1"}}]
listeners: [{{name: main, port: {port}, agents: [{{id: a}}]}}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Callable[[int], Path]:
    def write(port: int = 0) -> Path:
        path = tmp_path / "outerloop.yaml"
        path.write_text(MINIMAL.format(port=port))
        return path

    return write


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def run(*arguments: str | Path, env: dict[str, str] | None = None) -> tuple[int, list[str]]:
    """Run `outerloop` to its end; return exit code and the lines of standard error."""
    result = subprocess.run(
        [OUTERLOOP, *arguments], capture_output=True, text=True, check=False, timeout=60, env=env
    )
    assert "Traceback" not in result.stderr
    assert "is ready" not in result.stdout
    return result.returncode, result.stderr.splitlines()


def test_a_listeners_port_that_is_taken(file: Callable[[int], Path], taken: int) -> None:
    code, lines = run("up", "-c", file(taken), "--admin", "127.0.0.1:0")
    assert code == 3
    (line,) = lines
    assert f"127.0.0.1:{taken}" in line
    assert "listener main" in line
    assert "in use" in line


def test_an_admin_port_that_is_taken(file: Callable[[], Path], taken: int) -> None:
    code, lines = run("up", "-c", file(), "--admin", f"127.0.0.1:{taken}")
    assert code == 3
    (line,) = lines
    assert f"127.0.0.1:{taken}" in line
    assert "admin" in line


def test_a_processors_port_that_is_taken(file: Callable[[], Path], taken: int) -> None:
    bind = f"127.0.0.1:{taken}"
    code, lines = run("serve", "-c", file(), "--bind", bind, "--admin", "127.0.0.1:0")
    assert code == 3
    (line,) = lines
    assert bind in line


def test_the_ports_of_a_running_stack(
    file: Callable[[int], Path], run_stack: Callable[..., Stack], free_port: int
) -> None:
    stack = run_stack(MINIMAL.format(port=free_port))
    code, lines = run("up", "-c", file(free_port), "--admin", "127.0.0.1:0")
    assert (code, len(lines)) == (3, 1)
    assert stack.ready()["status"] == "ready"


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_faulty_file(tmp_path: Path, command: str) -> None:
    path = tmp_path / "faulty.yaml"
    path.write_text("version: v1\nagents:\n  - {id: a, ulr: http://127.0.0.1:1}\nlisteners: []\n")
    code, lines = run(command, "-c", path)
    assert code == 1
    assert lines[0].startswith(f"{path}:3:")
    assert any("ulr" in line and "did you mean" in line for line in lines)
    assert any(line.startswith(f"{path}:4:") for line in lines)


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_file_that_is_not_there(tmp_path: Path, command: str) -> None:
    code, lines = run(command, "-c", tmp_path / "missing.yaml")
    assert code == 1
    assert "missing.yaml" in lines[0]


def test_a_secret_that_is_missing_is_named_without_a_value(tmp_path: Path) -> None:
    path = tmp_path / "secret.yaml"
    path.write_text(MINIMAL.format(port=0).replace("127.0.0.1:1", "$NO_SUCH_HOST"))
    code, lines = run("up", "-c", path)
    assert code == 1
    assert "NO_SUCH_HOST" in lines[0]


def test_no_envoy(file: Callable[[], Path], tmp_path: Path) -> None:
    # A Python with the same packages but with nothing else beside it.
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(Path(sys.executable).resolve())
    packages = os.pathsep.join([*os.environ.get("PYTHONPATH", "").split(os.pathsep), str(ROOT)])
    result = subprocess.run(
        [python, "-c", "from extproc.cli.app import main; main()", "up", "-c", file()],
        env={"PATH": str(tmp_path), "PYTHONPATH": f"{packages}:{site.getsitepackages()[0]}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 3, result.stderr
    (line,) = result.stderr.splitlines()
    assert "no envoy binary" in line
    assert "outerloop-extproc[envoy]" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("up",),
        ("up", "-c", "x.yaml", "--workers", "0"),
        ("serve", "-c", "x.yaml", "--bind", "nonsense"),
        ("up", "-c", "x.yaml", "--nonsense"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == 2
