from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from extproc.cli.check import summary
from extproc.config.faults import Fault


def test_a_file_without_faults(file: Path, outerloop: Callable[..., Any]) -> None:
    result = outerloop("check", "-c", str(file))
    assert (result.code, result.out, result.err) == (0, f"{file}: ok\n", "")
    result = outerloop("check", "-c", str(file), "--json")
    assert json.loads(result.out) == {"ok": True, "errors": [], "warnings": []}


def test_all_faults_with_their_place(file: Path, outerloop: Callable[..., Any]) -> None:
    file.write_text(
        file.read_text().replace("127.0.0.1:1}", "x, color: red}").replace("0\n", "x\n")
    )
    result = outerloop("check", "-c", str(file))
    assert (result.code, result.out) == (1, "")
    lines = result.err.splitlines()
    assert lines[0].startswith(f"{file}:4:")
    assert "color" in lines[0]
    assert lines[1].startswith(f"{file}:9:11: ")
    assert lines[-1] == f"outerloop: 2 faults in {file}"


def test_faults_for_machines(file: Path, outerloop: Callable[..., Any]) -> None:
    file.write_text(file.read_text() + "colour: red\ntracing: {random_sampling: 5}\n")
    result = outerloop("check", "-c", str(file), "--json")
    report = json.loads(result.out)
    assert result.code == 1
    assert report["ok"] is False
    [error] = report["errors"]
    assert set(error) == {"file", "line", "column", "path", "message"}
    assert (error["file"], error["path"]) == (str(file), "colour")


def test_the_summary_counts() -> None:
    fault = Fault("f", 1, 1, "", "x")
    assert summary(Path("f"), (fault,)) == "1 fault in f"
    assert summary(Path("f"), (fault, fault)) == "2 faults in f"
