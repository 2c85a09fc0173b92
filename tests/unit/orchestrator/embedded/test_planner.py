from __future__ import annotations

from collections.abc import Callable

import pytest

from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.embedded.dense import TokenTable
from extproc.orchestrator.embedded.planner import Planner
from extproc.orchestrator.embedded.turn import read_turn
from extproc.plan import Plan, Source

Ask = Callable[..., Question]

GENERAL = AgentInfo("general_agent", "General-purpose assistant for everything else.")


@pytest.fixture(scope="module")
def planner(travel: tuple[AgentInfo, ...], table: TokenTable) -> Planner:
    return Planner(
        (*travel, GENERAL),
        max_agents=3,
        source=Source.EMBEDDINGS,
        vectorizer=table,
        table=table,
    )


def plan(planner: Planner, table: TokenTable, question: Question) -> Plan:
    turn = read_turn(question.conversation, str)
    return planner.plan(question, turn, table(turn.texts))


def test_the_source_is_the_strategys(planner: Planner, table: TokenTable, ask: Ask) -> None:
    assert plan(planner, table, ask("will it rain?")).source is Source.EMBEDDINGS


@pytest.mark.parametrize("text", ["who painted the ceiling?", "tell me a joke", "hello!"])
def test_what_fits_nobody_goes_to_the_agent_for_the_rest(
    planner: Planner, table: TokenTable, ask: Ask, text: str
) -> None:
    found = plan(planner, table, ask(text))
    assert found.agents == ("general_agent",)
    assert found.scores["general_agent"] == max(found.scores.values())


def test_it_needs_to_be_allowed(planner: Planner, table: TokenTable, ask: Ask) -> None:
    allowed = {"weather_agent", "hotel_agent"}
    assert plan(planner, table, ask("tell me a joke", allowed=allowed)).agents == ()


@pytest.mark.parametrize("text", ["", "   "])
def test_silence_goes_nowhere(planner: Planner, table: TokenTable, ask: Ask, text: str) -> None:
    assert plan(planner, table, ask(text)).agents == ()


def test_a_previous_agent_that_is_not_allowed_is_forgotten(
    planner: Planner, table: TokenTable, ask: Ask
) -> None:
    question = ask("and a room?", allowed={"hotel_agent"}, previous="flight_agent")
    assert set(plan(planner, table, question).agents) <= {"hotel_agent"}


def test_explain_names_scores_and_words(planner: Planner, table: TokenTable, ask: Ask) -> None:
    turn = read_turn(ask("what's the weather like").conversation, str)
    matches = planner.explain(turn, table(turn.texts))
    assert matches[0].agent == "weather_agent"
    assert matches[0].words[0] == "weather"
    assert [match.fused for match in matches] == sorted(
        (match.fused for match in matches), reverse=True
    )
