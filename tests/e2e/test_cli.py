"""The commands that start nothing: help, check, route, render."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BIN = Path(sys.executable).parent
OUTERLOOP = str(BIN / "outerloop")
ENVOY = shutil.which("envoy") or str(BIN / "envoy")
EXAMPLES = Path(__file__).parents[2] / "examples"
TRAVEL = EXAMPLES / "travel/outerloop.yaml"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/outerloop.yaml"))
FLIGHT = "Find me a flight from London to Oslo."

FAULTY = """\
version: v1
agents:
  - {id: a, url: http://localhost:1, colour: red}
  - {id: a, url: http://localhost:2}
listeners:
  - {name: main, port: 8001, agents: [{id: missing}]}
"""
WARNED = """\
version: v1
agents:
  - {id: a, url: http://localhost:1}
listeners:
  - {name: main, port: 8001, mode: observe, execution: parallel, agents: [{id: a}]}
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def outerloop(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [OUTERLOOP, *map(str, arguments)]
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path
        )
        assert "Traceback" not in result.stdout + result.stderr
        return result

    return outerloop


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def file(text: str, name: str = "outerloop.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return file


def test_help_names_the_commands(run: Run) -> None:
    result = run("--help")
    assert (result.returncode, result.stderr) == (0, "")
    for command in ("up", "serve", "check", "render", "route", "demo"):
        assert f"\n  {command} " in result.stdout
        told = run(command, "--help")
        assert (told.returncode, told.stderr) == (0, "")
        assert told.stdout.startswith("Usage: ")


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import contextlib, io, sys; sys.argv = ['outerloop', '--help']\n"
        "from extproc.cli.app import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main()\n"
        "print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert "click" in loaded
    assert not loaded & {
        "grpc",
        "google",
        "envoy_data_plane",
        "numpy",
        "pydantic",
        "aiohttp",
        "yaml",
    }


@pytest.mark.parametrize(
    "command",
    [
        "route -c {file} weather",
        "render -c {file} --target bootstrap",
        "check -c {file} --json",
        "logs {file}",
    ],
)
def test_a_reader_that_has_enough_is_no_error(command: str) -> None:
    told = command.format(file=EXAMPLES / "travel/outerloop.yaml")
    # The reader has gone before anything is written.
    result = subprocess.run(
        ["bash", "-c", f"(sleep 1; exec {OUTERLOOP} {told}) | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout, result.stderr) == ("0\n", "")


def test_the_version(run: Run) -> None:
    result = run("--version")
    assert result.returncode == 0
    assert result.stdout.startswith("outerloop")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("check",),
        ("check", "-c", "x.yaml", "--nonsense"),
        ("render", "-c", TRAVEL, "--target", "nonsense"),
        ("render", "-c", TRAVEL),
        ("route", "-c", TRAVEL),
        ("route", "-c", TRAVEL, "--listener", "nonsense", "text"),
        ("route", "-c", TRAVEL, "--messages", "missing.json"),
    ],
)
def test_bad_usage(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr


def test_text_and_messages_at_once_are_bad_usage(run: Run, write: Callable[..., Path]) -> None:
    messages = write("[]", "messages.json")
    assert run("route", "-c", TRAVEL, "--messages", messages, "text").returncode == 2


@pytest.mark.parametrize("example", NAMES)
def test_check_of_an_example(run: Run, example: str) -> None:
    result = run("check", "-c", EXAMPLES / example / "outerloop.yaml")
    assert (result.returncode, result.stderr) == (0, "")


def test_check_reports_all_faults_with_their_places(run: Run, write: Callable[..., Path]) -> None:
    file = write(FAULTY)
    result = run("check", "-c", file)
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    places = [line.removeprefix(f"{file}:").split(":")[0] for line in lines if str(file) in line]
    assert {"3", "4", "6"} <= set(places)


def test_check_as_json(run: Run, write: Callable[..., Path]) -> None:
    file = write(FAULTY)
    result = run("check", "-c", file, "--json")
    assert result.returncode == 1
    report: dict[str, Any] = json.loads(result.stdout)
    assert set(report) == {"ok", "errors", "warnings"}
    assert report["ok"] is False
    assert len(report["errors"]) >= 3
    for error in report["errors"]:
        assert set(error) == {"file", "line", "column", "path", "message"}
        assert error["file"] == str(file)
        assert isinstance(error["line"], int)
        assert isinstance(error["column"], int)
    assert {error["line"] for error in report["errors"]} == {3, 4, 6}
    columns = {error["path"]: error["column"] for error in report["errors"]}
    assert columns["agents[0].colour"] == FAULTY.splitlines()[2].index("colour") + 1


def test_check_as_json_of_a_good_file(run: Run) -> None:
    result = run("check", "-c", TRAVEL, "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout) == {"ok": True, "errors": [], "warnings": []}


def test_a_key_without_effect_is_warned_about(run: Run, write: Callable[..., Path]) -> None:
    file = write(WARNED)
    result = run("check", "-c", file, "--json")
    report: dict[str, Any] = json.loads(result.stdout)
    assert (result.returncode, report["ok"], report["errors"]) == (0, True, [])
    (warning,) = report["warnings"]
    assert set(warning) == {"file", "line", "column", "path", "message"}
    assert (warning["line"], warning["path"]) == (5, "listeners[0].execution")


@pytest.mark.parametrize("text", ["", "[", "- a", "version: v9", "a: &x [*x]", "\x00", "{}: 1"])
def test_check_of_what_is_no_configuration(run: Run, write: Callable[..., Path], text: str) -> None:
    file = write(text)
    result = run("check", "-c", file, "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["errors"]


def test_check_of_a_missing_file(run: Run) -> None:
    result = run("check", "-c", "missing.yaml")
    assert result.returncode == 1
    assert "missing.yaml" in result.stderr


def test_route_explains_itself(run: Run) -> None:
    result = run("route", "-c", TRAVEL, FLIGHT)
    assert result.returncode == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["plan", "flight_agent"]
    assert ["source", "embedded"] in lines
    table = lines[lines.index(["score", "agent", "matched"]) + 1 :]
    assert {line[1] for line in table} == {"weather_agent", "flight_agent", "hotel_agent"}
    assert "flight" in table[0][2]


def test_route_as_json(run: Run) -> None:
    result = run("route", "-c", TRAVEL, "--json", FLIGHT)
    assert result.returncode == 0
    decision: dict[str, Any] = json.loads(result.stdout)
    assert set(decision) == {"plan", "source", "confidence", "scores", "ms"}
    assert (decision["plan"], decision["source"]) == (["flight_agent"], "embedded")
    assert 0 <= decision["confidence"] <= 1
    assert set(decision["scores"]) == {"weather_agent", "flight_agent", "hotel_agent"}
    assert all(isinstance(score, int | float) for score in decision["scores"].values())
    assert decision["ms"] > 0


CONVERSATION = [
    {"role": "user", "content": "What's the weather in Oslo?"},
    {"role": "assistant", "content": "Rain."},
    {"role": "user", "content": "Then a hotel for two nights."},
]


@pytest.mark.parametrize(
    ("document", "plan", "source"),
    [
        (CONVERSATION, ["hotel_agent"], "embedded"),
        ({"messages": CONVERSATION}, ["hotel_agent"], "embedded"),
        ({"model": "weather_agent", "messages": CONVERSATION}, ["weather_agent"], "explicit"),
    ],
)
def test_route_of_a_conversation(
    run: Run, write: Callable[..., Path], document: Any, plan: list[str], source: str
) -> None:
    messages = write(json.dumps(document), "messages.json")
    result = run("route", "-c", TRAVEL, "--json", "--messages", messages)
    decision = json.loads(result.stdout)
    assert (result.returncode, decision["plan"], decision["source"]) == (0, plan, source)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[5]", "no JSON"])
def test_route_of_what_is_no_conversation(run: Run, write: Callable[..., Path], text: str) -> None:
    messages = write(text, "messages.json")
    result = run("route", "-c", TRAVEL, "--messages", messages)
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1


def test_route_needs_to_know_which_listener(run: Run, write: Callable[..., Path]) -> None:
    second = "  - {name: second, port: 8002, agents: [{id: b}]}\n"
    agents = "agents: [{id: a, url: http://localhost:1}, {id: b, url: http://localhost:2}]\n"
    first = "listeners:\n  - {name: first, port: 8001, agents: [{id: a}]}\n"
    file = write(f"version: v1\n{agents}{first}{second}")
    result = run("route", "-c", file, "text")
    assert result.returncode == 2
    assert "first, second" in result.stderr
    for listener, agent in (("first", "a"), ("second", "b")):
        result = run("route", "-c", file, "--json", "--listener", listener, "text")
        decision = json.loads(result.stdout)
        assert (decision["plan"], decision["source"]) == ([agent], "single")


@pytest.mark.parametrize("example", NAMES)
def test_envoy_takes_what_is_rendered(run: Run, tmp_path: Path, example: str) -> None:
    file = EXAMPLES / example / "outerloop.yaml"
    result = run("render", "-c", file, "--target", "bootstrap", "-o", tmp_path / "new" / "folder")
    (written,) = (tmp_path / "new" / "folder").iterdir()
    assert (result.returncode, result.stdout.strip()) == (0, str(written))
    assert written.read_text() == run("render", "-c", file, "--target", "bootstrap").stdout
    validation = subprocess.run(
        [ENVOY, "--mode", "validate", "-c", written], capture_output=True, text=True, check=False
    )
    assert validation.returncode == 0, validation.stderr
    assert "OK" in validation.stdout


def test_nothing_is_rendered_from_a_faulty_file(
    run: Run, write: Callable[..., Path], tmp_path: Path
) -> None:
    result = run("render", "-c", write(FAULTY), "--target", "bootstrap", "-o", tmp_path / "out")
    assert (result.returncode, result.stdout) == (1, "")
    assert not (tmp_path / "out").exists()
