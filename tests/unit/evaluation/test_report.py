from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from rich.console import Console

from extproc.evaluation.decide import Result
from extproc.evaluation.report import Report, as_json, as_predictions, as_text, make_report
from extproc.orchestrator.api import AgentInfo

MakeResult = Callable[..., Result]
AGENTS = {"desk": (AgentInfo("a", "A.", ("a",)), AgentInfo("b", "B.", ("b",)))}


@pytest.fixture
def results(result: MakeResult) -> list[Result]:
    wrong = [result("a", "b") for _ in range(3)]
    return [*wrong, result("a", "a"), result("", "[b]"), result("b", None)]


@pytest.fixture
def report(results: list[Result]) -> Report:
    return make_report(AGENTS, results)


def shown(report: Report) -> str:
    console = Console(file=io.StringIO(), width=1000, soft_wrap=True)
    for each in as_text(report):
        console.print(each)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_machines_get_everything(report: Report) -> None:
    found = json.loads(json.dumps(as_json(report)))
    assert list(found) == [
        *("n", "missing", "exact", "sets", "micro", "macro"),
        *("confusions", "suggestions"),
    ]
    assert (found["n"], found["missing"], found["exact"]) == (6, 1, pytest.approx(1 / 6))
    assert found["sets"]["desk"]["single_n"] == 5
    assert found["confusions"] == [
        {"agents_set": "desk", "expected": "a", "got": "b", "count": 3, "example": "case-1"},
        {"agents_set": "desk", "expected": None, "got": "[b]", "count": 1, "example": "case-5"},
    ]
    collision = found["suggestions"][0]
    assert list(collision) == ["agents_set", "topic", "agents", "count", "of", "text"]
    assert (collision["topic"], collision["agents"]) == ("collision", ["a", "b"])


def test_people_get_a_table_confusions_and_suggestions(report: Report) -> None:
    lines = shown(report).splitlines()
    assert lines[0].split() == ["metric", "desk", "macro"]
    cells = {line[:15].strip(): line[15:].split() for line in lines[1:15]}
    assert cells["cases"] == ["6", "-"]
    assert cells["exact"] == ["0.167", "0.167"]
    assert "multi F1" not in cells
    assert "exact 0.167: 6 cases, 1 agent set" in lines
    assert ["desk", "a", "b", "case-1", "3"] in [line.split() for line in lines]
    assert ["desk", "(nothing)", "[b]", "case-5", "1"] in [line.split() for line in lines]
    assert any(line.startswith("  desk: a and b collide: ") for line in lines)


def test_there_are_no_blanks_at_the_end_of_lines(report: Report) -> None:
    assert [line for line in shown(report).splitlines() if line.endswith(" ")] == []


def test_all_right_is_said_in_short(result: MakeResult) -> None:
    text = shown(make_report(AGENTS, [result("a", "a"), result("b", "b")]))
    assert "Worst confusions" not in text
    assert "Suggestions" not in text


def test_only_the_worst_confusions_are_shown(result: MakeResult) -> None:
    results = [result("a", f"x{number}") for number in range(15)]
    report = make_report(AGENTS, results)
    assert len(as_json(report)["confusions"]) == 15
    assert shown(report).count("(nothing)") + shown(report).count("  case-") == 10


def test_several_sets_have_a_column_each(result: MakeResult) -> None:
    agents = {**AGENTS, "shop": AGENTS["desk"]}
    text = shown(make_report(agents, [result("a", "a"), result("a", "b", agents_set="shop")]))
    assert text.split("\n", 1)[0].split() == ["metric", "desk", "shop", "macro"]
    assert "exact 0.500: 2 cases, mean of 2 agent sets" in text


def test_predictions_are_of_what_was_decided(results: list[Result]) -> None:
    lines = list(as_predictions(results))
    assert len(lines) == len(results) - 1
    assert lines[0] == {"id": "case-1", "agents": ["b"], "score": 0.5, "latency_ms": 1.0}
