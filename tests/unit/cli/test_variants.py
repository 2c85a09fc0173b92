from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

import pytest

from extproc.cli.variants import as_text
from extproc.supervisor.figures import AgentFigures, Times
from extproc.supervisor.variants import Row, make_rows

Run = Callable[..., Any]
Admin = Callable[..., AbstractContextManager[str]]


def row(agent: str, variant: str, errors: int, requests: int) -> Row:
    responses = {"2xx": requests - errors, "3xx": 0, "4xx": 0, "5xx": errors}
    times = Times((), 42.5, 101.25) if requests else Times()
    [made] = make_rows([AgentFigures(agent, variant, responses, 1, 1, times)])
    return made


CANARY = row("hotel", "canary", 20, 500)
STABLE = row("hotel", "stable", 95, 9500)
PLAIN = row("weather", "", 0, 0)
ROWS = [asdict(each) for each in (CANARY, STABLE, PLAIN)]


@pytest.fixture
def admin(answering: Admin) -> Iterator[str]:
    with answering({"/variants": ROWS}) as address:
        yield address


def test_a_table_of_variants(admin: str, outerloop: Run) -> None:
    result = outerloop("variants", "--admin", admin)
    assert (result.code, result.err) == (0, "")
    *table, words = result.out.splitlines()
    assert table == [
        "agent  variant  requests  errors  error rate  95 % interval  p50 ms  p95 ms",
        "hotel  canary        500      20      4.00 %  2.60 - 6.10 %      42     101",
        "hotel  stable       9500      95      1.00 %  0.82 - 1.22 %      42     101",
    ]
    assert words == (
        "  canary fails more often than stable, beyond chance "
        "(difference: +1.59 to +5.11 percentage points)"
    )


def test_agents_without_variants_where_asked_for(admin: str, outerloop: Run) -> None:
    shown = outerloop("variants", "--admin", admin, "--all").out.splitlines()
    assert shown[-1].split() == ["weather", "-", "0", "0", "-", "-", "-", "-"]
    assert len(shown) == 5
    for options in (("--agent", "weather"), ("--agent", "weather", "--all")):
        _, line = outerloop("variants", "--admin", admin, *options).out.splitlines()
        assert line.startswith("weather")


def test_machines_get_the_rows(admin: str, outerloop: Run) -> None:
    shown = json.loads(outerloop("variants", "--admin", admin, "--json").out)
    assert shown == ROWS[:2]
    assert shown[0]["error_rate"] == 0.04
    assert json.loads(outerloop("variants", "--admin", admin, "--json", "--all").out) == ROWS


def test_no_variants_are_no_fault(answering: Admin, outerloop: Run) -> None:
    with answering({"/variants": ROWS[2:]}) as address:
        result = outerloop("variants", "--admin", address)
        assert (result.code, result.out) == (0, "no agent has variants (--all shows the agents)\n")
        assert outerloop("variants", "--admin", address, "--json").out == "[]\n"


def test_an_agent_that_is_not_there(admin: str, outerloop: Run) -> None:
    result = outerloop("variants", "--admin", admin, "--agent", "hotels")
    assert result.code == 2
    assert "there is only hotel, weather" in result.err


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (((950, 9500), (20, 500)), "b fails less often than a, beyond chance"),
        (((95, 9500), (5, 500)), "b and a do not differ beyond chance"),
        (((1, 95), (0, 5)), "too few requests to tell whether b and a differ"),
        (((1, 95), (0, 0)), "too few requests to tell whether b and a differ"),
    ],
)
def test_what_a_person_is_told(counts: tuple[tuple[int, int], tuple[int, int]], words: str) -> None:
    first, second = counts
    *_, line = as_text([row("hotel", "a", *first), row("hotel", "b", *second)])
    assert line.startswith(f"  {words} (difference: ")


def test_each_agents_words_stand_below_it() -> None:
    other = [row("z", variant, 0, 9) for variant in ("x", "y")]
    lines = list(as_text([CANARY, STABLE, row("one", "alone", 0, 9), *other]))
    assert [line.split()[0] for line in lines] == [
        *("agent", "hotel", "hotel", "canary"),
        *("one", "z", "z", "too"),
    ]


@pytest.mark.parametrize("answer", [{"hello": "world"}, [1], [{"agent": "hotel"}]])
def test_an_answer_without_variants(answer: Any, answering: Admin, outerloop: Run) -> None:
    with answering({"/variants": answer}) as address:
        result = outerloop("variants", "--admin", address)
    assert (result.code, result.out) == (1, "")
    assert "is not the admin address of a stack" in result.err


def test_an_envoy_that_is_not_ours(answering: Admin, outerloop: Run) -> None:
    with answering({"/variants": {"error": "this Envoy is not ours"}}, 404) as address:
        result = outerloop("variants", "--admin", address)
    assert (result.code, result.err) == (1, "outerloop: this Envoy is not ours\n")
