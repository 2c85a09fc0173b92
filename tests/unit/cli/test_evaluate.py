from __future__ import annotations

import json
import os
import pty
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from extproc.errors import OrchestratorFailed
from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.embedded import Embedded
from extproc.orchestrator.factory import Strategies
from extproc.plan import Plan

AGENTS = """
desk:
  - {id: weather, description: Weather forecasts for any city.}
  - {id: flights, description: Finds and books flights.}
shop: [{id: shoes, description: Sells shoes.}, {id: hats, description: Sells hats.}]
"""

Run = Callable[..., Any]


def case(number: str, text: str, *expected: str, agents_set: str = "desk") -> dict[str, Any]:
    return {
        "id": number,
        "agents_set": agents_set,
        "messages": [{"role": "user", "content": text}],
        "expected": expected,
        "kind": "single" if expected else "none",
    }


CASES = [
    case("1", "what is the weather forecast for Oslo?", "weather"),
    case("2", "book flights to Rome", "flights"),
    case("3", "book flights to Paris", "weather"),
]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in CASES))
    return path


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    path = tmp_path / "agents.yaml"
    path.write_text(AGENTS)
    return path


def test_a_listener_is_measured(cases: Path, file: Path, outerloop: Run) -> None:
    result = outerloop("eval", "-c", str(file), "--json", str(cases))
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    assert (found["n"], found["missing"]) == (3, 0)
    assert found["sets"]["desk"]["single_acc"] == pytest.approx(2 / 3)
    (confusion,) = found["confusions"]
    assert (confusion["expected"], confusion["got"]) == ("weather", "flights")


def test_agents_of_a_file_with_the_default_strategy(
    cases: Path, agents: Path, outerloop: Run
) -> None:
    with cases.open("a") as file:
        file.write(json.dumps(case("4", "I need shoes", "shoes", agents_set="shop")))
    found = json.loads(outerloop("eval", "--agents", str(agents), "--json", str(cases)).out)
    assert set(found["sets"]) == {"desk", "shop"}
    assert found["exact"] == pytest.approx((2 / 3 + 1) / 2)


def test_agents_of_a_file_with_the_settings_of_another(
    cases: Path, agents: Path, file: Path, outerloop: Run
) -> None:
    text = "book flights to Rome, and then tell me the weather forecast for Rome"
    several = {**case("1", text, "flights", "weather"), "kind": "multi"}
    cases.write_text(json.dumps(several))
    arguments = ("eval", "--agents", str(agents), "--json", str(cases))
    assert json.loads(outerloop(*arguments).out)["exact"] == 1.0
    file.write_text(f"{file.read_text()}orchestrator: {{max_agents: 1}}\n")
    found = json.loads(outerloop(*arguments, "-c", str(file)).out)
    assert found["sets"]["desk"]["multi_recall"] == 0.5


def test_people_get_plain_text_on_a_pipe(cases: Path, file: Path, outerloop: Run) -> None:
    result = outerloop("eval", "-c", str(file), str(cases))
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("metric ")
    assert "exact 0.667: 3 cases, 1 agent set\n" in result.out
    assert "\x1b" not in result.out


def test_predictions_are_written(cases: Path, file: Path, tmp_path: Path, outerloop: Run) -> None:
    written = tmp_path / "predictions.jsonl"
    assert outerloop("eval", "-c", str(file), "--predictions", str(written), str(cases)).code == 0
    lines = [json.loads(line) for line in written.read_text().splitlines()]
    assert [(line["id"], line["agents"]) for line in lines] == [
        ("1", ["weather"]),
        ("2", ["flights"]),
        ("3", ["flights"]),
    ]
    assert all(set(line) == {"id", "agents", "score", "latency_ms"} for line in lines)


def test_predictions_that_cannot_be_written(
    cases: Path, file: Path, tmp_path: Path, outerloop: Run
) -> None:
    nowhere = tmp_path / "nothing" / "predictions.jsonl"
    result = outerloop("eval", "-c", str(file), "--predictions", str(nowhere), str(cases))
    assert (result.code, result.out) == (1, "")
    assert "No such file" in result.err


@pytest.mark.parametrize("arguments", [(), ("--listener", "travel")])
def test_something_must_name_the_agents(
    arguments: tuple[str, ...], cases: Path, outerloop: Run
) -> None:
    result = outerloop("eval", *arguments, str(cases))
    assert result.code == 2
    assert "give -c FILE, or --agents FILE" in result.err


def test_agents_come_from_one_place(cases: Path, agents: Path, file: Path, outerloop: Run) -> None:
    arguments = ("-c", str(file), "--agents", str(agents), "--listener", "travel")
    assert outerloop("eval", *arguments, str(cases)).code == 2


def test_a_listener_is_named_where_there_are_several(
    cases: Path, two_listeners: Path, outerloop: Run
) -> None:
    arguments = ("eval", "-c", str(two_listeners), str(cases))
    assert outerloop(*arguments).code == 2
    assert outerloop(*arguments, "--listener", "nobody").code == 2
    assert outerloop(*arguments, "--listener", "travel").code == 0
    other = outerloop(*arguments, "--listener", "other")
    assert other.code == 1
    assert "no agent 'weather' in the set 'desk'" in other.err


def test_a_set_without_agents_is_named(cases: Path, agents: Path, outerloop: Run) -> None:
    cases.write_text(json.dumps(case("1", "hello", agents_set="zoo")))
    result = outerloop("eval", "--agents", str(agents), str(cases))
    assert (result.code, result.out) == (1, "")
    assert f"{cases}:1: there are no agents for the set 'zoo'\n" in result.err
    assert "1 fault in the input" in result.err


def test_of_many_faults_the_first_are_shown(cases: Path, file: Path, outerloop: Run) -> None:
    cases.write_text("{\n" * 50)
    result = outerloop("eval", "-c", str(file), str(cases))
    assert result.code == 1
    assert result.err.count("not JSON") == 20
    assert "50 faults in the input; the first 20 are shown" in result.err


class Failing:
    """Fails on every question but those about Rome."""

    def __init__(self, inner: Embedded) -> None:
        self.inner = inner

    async def decide(self, question: Question) -> Plan:
        if "Rome" not in question.conversation.messages[0].text:
            raise OrchestratorFailed("the model server is down")
        return await self.inner.decide(question)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(_: object, agents: Sequence[AgentInfo]) -> tuple[Failing, None]:
        return Failing(Embedded(agents, max_agents=1)), None

    monkeypatch.setattr(Strategies, "make", make)


@pytest.mark.usefixtures("failing")
def test_decisions_that_failed_count_as_wrong(cases: Path, file: Path, outerloop: Run) -> None:
    result = outerloop("eval", "-c", str(file), "--json", str(cases))
    assert result.code == 0
    assert "2 of 3 cases could not be decided and count as wrong" in result.err
    assert json.loads(result.out)["exact"] == pytest.approx(1 / 3)


@pytest.mark.usefixtures("failing")
def test_nothing_decided_is_a_fault(cases: Path, file: Path, outerloop: Run) -> None:
    cases.write_text(json.dumps(CASES[0]))
    result = outerloop("eval", "-c", str(file), str(cases))
    assert (result.code, result.out) == (1, "")
    assert "no case could be decided: the model server is down" in result.err


def test_a_strategy_that_cannot_be_made_is_a_fault(
    cases: Path, file: Path, outerloop: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(*_: object) -> None:
        raise ValueError("prompt.txt: no placeholder in it")

    monkeypatch.setattr(Strategies, "make", make)
    result = outerloop("eval", "-c", str(file), str(cases))
    assert (result.code, result.err) == (1, "outerloop: prompt.txt: no placeholder in it\n")


def test_a_terminal_shows_progress(
    cases: Path, file: Path, outerloop: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        assert outerloop("eval", "-c", str(file), str(cases)).code == 0
    shown = os.read(master, 100_000)
    os.close(master)
    assert b"deciding" in shown
    assert b"100%" in shown
