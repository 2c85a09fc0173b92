from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.orchestrator.embedded import calibration
from extproc.orchestrator.embedded.choice import Choice, Evidence, choose, parts
from extproc.orchestrator.embedded.counts import count_words
from extproc.orchestrator.embedded.turn import Task, Turn


def evidence(
    units: list[list[float]],
    *,
    marked: bool = True,
    closing: float = 0.0,
    continuation: float = 0.0,
    kinship: float = 0.0,
) -> Evidence:
    """Units of the whole turn first, then of each clause."""
    rows = np.array(units, np.float32)
    tasks = tuple(Task(row, marked) for row in range(1, len(units)))
    counted = replace(count_words(["text"]), content_words=[5, *[2 for _ in tasks]])
    turn = Turn(tuple("text" for _ in units), tasks, tasks, counted)
    odds = calibration.odds(rows, np.zeros((len(units), 1), np.float32))
    alike = np.full((rows.shape[1], rows.shape[1]), kinship, np.float32)
    return Evidence(
        turn,
        rows,
        odds,
        calibration.fits(odds.max(axis=0)),
        alike,
        np.full(len(units), closing, np.float32),
        np.full(len(units), continuation, np.float32),
    )


def test_the_best_agent_is_chosen() -> None:
    choice = choose(evidence([[0.1, 1.2, 0.3], [0.1, 1.2, 0.3]]), None, 3)
    assert choice.agents == (1,)
    assert choice.confidence > 0.9


def test_a_close_race_is_less_certain() -> None:
    close = choose(evidence([[1.15, 1.2], [1.15, 1.2]]), None, 3)
    assert close.confidence < 0.6


def test_no_agent_is_chosen_where_none_fits() -> None:
    choice = choose(evidence([[-0.5, -0.2], [-0.5, -0.2]]), None, 3)
    assert choice.agents == ()
    assert choice.confidence > 0.6


def test_tasks_run_in_their_order_and_the_last_are_cut() -> None:
    units = [[1.0, 0.9, 0.8], [0.0, 0.0, 1.5], [1.5, 0.0, 0.0], [0.0, 1.5, 0.0]]
    assert choose(evidence(units), None, 3).agents == (2, 0, 1)
    assert choose(evidence(units), None, 2).agents == (2, 0)


def test_agents_that_are_alike_seldom_share_a_turn() -> None:
    units = [[0.8, 0.7], [1.2, 0.0], [0.0, 1.2]]
    assert len(choose(evidence(units, marked=False), None, 3).agents) == 2
    assert len(choose(evidence(units, marked=False, kinship=0.9), None, 3).agents) == 1


def test_words_that_set_tasks_apart_count() -> None:
    units = [[0.6, 0.3], [1.0, 0.2], [0.2, 0.9]]
    assert choose(evidence(units, marked=True), None, 3).agents == (0, 1)
    assert choose(evidence(units, marked=False), None, 3).agents == (0,)


def test_one_clear_clause_speaks_for_a_long_text() -> None:
    assert choose(evidence([[0.0, -0.1], [1.5, 0.0], [0.0, -0.1]]), None, 3).agents == (0,)


@pytest.mark.parametrize("units", [[0.5, 0.5], [-0.5, 0.3], [0.1, 0.0]])
def test_a_vague_turn_stays_with_the_previous_agent(units: list[float]) -> None:
    choice = choose(evidence([units, units], continuation=0.8), 1, 3)
    assert choice.agents == (1,)


def test_a_clear_turn_leaves_the_previous_agent() -> None:
    choice = choose(evidence([[1.5, -0.3], [1.5, -0.3]]), 1, 3)
    assert choice.agents == (0,)
    assert choice.confidence > 0.8


def test_a_farewell_needs_nobody() -> None:
    choice = choose(evidence([[0.0, 0.0], [0.0, 0.0]], closing=0.8), 1, 3)
    assert choice.agents == ()


def test_the_only_agent_is_not_left() -> None:
    assert choose(evidence([[-1.0], [-1.0]]), 0, 3) == Choice((0,), 1.0)


def test_parts_for_one_agent_are_no_tasks_apart() -> None:
    said = evidence([[1.0, 0.5], [1.2, 0.3], [1.1, 0.2]])
    assert list(parts(said, said.turn.coarse)) == []
    assert list(parts(said, ())) == []


@given(
    st.lists(st.lists(st.floats(-1, 2, width=16), min_size=5, max_size=5), min_size=2, max_size=8),
    st.randoms(use_true_random=False),
)
def test_parts_are_beside_the_best_agents_of_the_others(
    units: list[list[float]], chance: random.Random
) -> None:
    said = evidence(units)
    near = np.array([[chance.uniform(-1, 1) for _ in range(5)] for _ in range(5)], np.float32)
    kinship = np.maximum(near, near.T)
    np.fill_diagonal(kinship, 1)
    said = replace(said, kinship=kinship)
    wanted = [int(np.argmax(said.units[task.row])) for task in said.turn.coarse]
    found = list(parts(said, said.turn.coarse))
    assert [agent for agent, _ in found] == (wanted if len(set(wanted)) > 1 else [])
    for task, (agent, part) in zip(said.turn.coarse, found, strict=False):
        others = sorted(set(wanted) - {agent})
        row = said.units[task.row]
        assert part.lead == pytest.approx(float(row[agent] - row[others].max()), abs=1e-6)
        assert part.kinship == kinship[agent, others].max()
        assert part.whole == said.units[0, agent]
        before = int((said.units[0] > said.units[0, agent]).sum())
        assert part.among == (before <= len(said.turn.coarse))
        assert part.content_words == 2
