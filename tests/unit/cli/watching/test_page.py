from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from extproc.cli.watching.look import Look, understand
from extproc.cli.watching.page import Size, page

Json = dict[str, Any]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=3,
)


@pytest.fixture
def look(status_answer: Json, decisions_answer: list[Json]) -> Look:
    decisions = [
        *decisions_answer,
        *(decisions_answer[0] | {"request_id": f"old-{each}"} for each in range(50)),
    ]
    return understand(10.0, status_answer, decisions)


def shown(*given_: Any, **named: Any) -> list[str]:
    return [line.plain for line in page(*given_, **named)]


def test_all_of_it(look: Look) -> None:
    lines = shown(look)
    assert lines[:3] == [
        "outerloop  ready  generation 3  workers 1/2  4 in flight  0.1.0",
        "200 requests: 190 routed, 10 rejected",
        "",
    ]
    blank = [index for index, line in enumerate(lines) if not line]
    assert [lines[index + 1].split()[0] for index in blank] == [
        *("listener", "agent", "filter", "time")
    ]
    assert len(lines) - blank[-1] == 1 + 1 + 10


def test_a_terminal_is_filled_with_decisions(look: Look) -> None:
    assert len(shown(look, size=Size(120, 50))) == 50
    assert shown(look, size=Size(120, 50))[-1].startswith(shown(look)[-1][:2])
    assert [line for line in shown(look, size=Size(120, 50)) if line.startswith("...")] == []


def sections_of(lines: list[str]) -> Iterator[str]:
    for before, line in pairwise(lines):
        if not before:
            yield line.split()[0]


@pytest.mark.parametrize(
    ("height", "sections"),
    [
        (24, ["listener", "agent", "filter", "time"]),
        (17, ["agent", "filter", "time"]),
        (15, ["agent", "time"]),
        (12, ["agent"]),
        (2, []),
    ],
)
def test_a_small_terminal_shows_what_matters(look: Look, height: int, sections: list[str]) -> None:
    lines = shown(look, size=Size(80, height))
    assert list(sections_of(lines)) == sections
    assert len(lines) <= height


def test_what_is_left_out_is_counted(status_answer: Json, decisions_answer: list[Json]) -> None:
    agent = status_answer["agents"][1]
    status_answer["agents"] = [agent | {"id": f"agent_{each}"} for each in range(100)]
    lines = shown(understand(0, status_answer, decisions_answer), size=Size(80, 24))
    assert len(lines) == 24
    (more,) = (line for line in lines if line.startswith("..."))
    listed = sum(line.startswith("agent_") for line in lines)
    assert more == f"... {100 - listed} more"


def test_rates_need_two_looks(look: Look, status_answer: Json) -> None:
    later = deepcopy(status_answer)
    later["requests"]["total"] += 3
    now = understand(12.0, later, [])
    assert "1.5 req/s" in shown(now, look)[0]
    assert "req/s" not in shown(now)[0]
    # What was once is no rate of now.
    assert "req/s" not in shown(now, look, trouble="gone")[0]


def test_a_stack_that_stopped(look: Look) -> None:
    first, second, third, *_ = shown(look, trouble="no stack answers at\x1b 1.2.3.4:5")
    assert first.startswith("outerloop  no answer  generation 3")
    assert second.startswith("no stack answers at� 1.2.3.4:5 (asking on; last answer ")
    assert third.startswith("200 requests")


@pytest.mark.parametrize(
    ("faults", "words"), [(["a:1:1: x"], "a:1:1: x"), (["x", "y", "z"], "x (and 2 more)")]
)
def test_a_reload_that_was_rejected(faults: list[str], words: str, status_answer: Json) -> None:
    status_answer["last_reload"] = {"outcome": "rejected", "time": "x", "errors": faults}
    assert shown(understand(0, status_answer, []))[2] == f"the last reload was rejected: {words}"


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = deepcopy(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else ()
    for key, each in enumerate(value) if isinstance(value, list) else inner:
        yield from leaves(each, (*path, key))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data(), width=st.integers(1, 200), height=st.integers(1, 60))
def test_whatever_is_answered_is_harmless(
    data: st.DataObject,
    width: int,
    height: int,
    status_answer: Json,
    decisions_answer: list[Json],
) -> None:
    answers: Any = [status_answer, decisions_answer]
    for path in data.draw(st.lists(st.sampled_from(list(leaves(answers))[1:]), max_size=3)):
        try:
            answers = replaced(answers, path, data.draw(JSON))
        except (LookupError, TypeError):
            continue
    try:
        look = understand(0.0, answers[0], answers[1])
    except (AttributeError, LookupError, TypeError, ValueError):
        return
    lines = shown(look, size=Size(width, height), trouble=data.draw(st.text()))
    assert len(lines) <= height
    assert all(line.isprintable() and cell_len(line) <= width for line in lines)
    assert all(line.isprintable() for line in shown(look))
