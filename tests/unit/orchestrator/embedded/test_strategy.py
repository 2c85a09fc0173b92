from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.embedded.strategy import Embedded
from extproc.plan import Source

Ask = Callable[..., Question]
Case = dict[str, Any]

HERE = Path(__file__).parent
DEV = Path(__file__).parents[5] / "shared" / "routing" / "dev"


@cache
def agents_of(file: Path, examples: int) -> dict[str, tuple[AgentInfo, ...]]:
    return {
        name: tuple(
            AgentInfo(agent["id"], agent["description"], tuple(agent["examples"][:examples]))
            for agent in agents
        )
        for name, agents in json.loads(file.read_text("utf-8")).items()
    }


def cases_of(file: Path) -> list[Case]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def right_share(file: Path, cases: list[Case], examples: int, ask: Ask) -> dict[str, float]:
    """Return the share of exact plans for each set of agents."""
    shares = {}
    for name, agents in agents_of(file, examples).items():
        embedded = Embedded(agents, max_agents=3)
        own = [case for case in cases if case["agents_set"] == name]
        right = 0
        for case in own:
            question = ask(case["messages"], previous=case.get("previous_agent"))
            right += list(embedded.plan(question).agents) == case["expected"]
        shares[name] = right / len(own)
    return shares


@pytest.fixture(scope="module")
def embedded(travel: tuple[AgentInfo, ...]) -> Embedded:
    return Embedded(travel, max_agents=3)


@pytest.mark.parametrize(
    ("text", "agents"),
    [
        ("will it rain in Oslo tomorrow?", ["weather_agent"]),
        ("I want to fly to Rome", ["flight_agent"]),
        ("book me a room for two nights", ["hotel_agent"]),
        ("fligth to Rome", ["flight_agent"]),
        ("weather", ["weather_agent"]),
        ("check the weather in Rome, then book a flight", ["weather_agent", "flight_agent"]),
        ("book a flight, but before that check the weather", ["weather_agent", "flight_agent"]),
        ("who painted the ceiling?", []),
        ("thanks, that's all", []),
        ("", []),
        ("a", []),
        ("🌧️", []),
    ],
)
async def test_first_turns(embedded: Embedded, ask: Ask, text: str, agents: list[str]) -> None:
    plan = await embedded.decide(ask(text))
    assert list(plan.agents) == agents
    assert plan.source is Source.EMBEDDED


@pytest.mark.parametrize(
    ("text", "agents"),
    [
        ("yes please", ["hotel_agent"]),
        ("for three people", ["hotel_agent"]),
        ("thanks, what's the weather like there?", ["weather_agent"]),
        ("thank you, that's all", []),
    ],
)
def test_turns_after_a_hotel(embedded: Embedded, ask: Ask, text: str, agents: list[str]) -> None:
    assert list(embedded.plan(ask(text, previous="hotel_agent")).agents) == agents


@pytest.mark.parametrize(
    "text", ["какая погода в Москве", "明天北京天气怎么样", "qwe rty zxc", "cuéntame un chiste"]
)
def test_what_it_cannot_read_is_not_sure(embedded: Embedded, ask: Ask, text: str) -> None:
    plan = embedded.plan(ask(text))
    assert not plan.agents or plan.confidence < 0.55


def test_other_languages_fall_back_on_the_words(ask: Ask) -> None:
    german = (
        AgentInfo("wetter", "Wettervorhersage für jede Stadt, Regen, Schnee und Temperatur."),
        AgentInfo("hotel", "Sucht Hotels und reserviert Zimmer."),
    )
    strategy = Embedded(german, max_agents=1)
    assert strategy.plan(ask("Wie wird das Wetter, gibt es Regen?")).agents == ("wetter",)
    assert strategy.plan(ask("Ich brauche ein Hotelzimmer")).agents == ("hotel",)


def test_a_task_before_or_after_a_long_document_is_found(embedded: Embedded, ask: Ask) -> None:
    document = "The history of cheese is long and varied. " * 2500
    after = embedded.plan(ask(f"{document}\nWhich flights go to Rome?"))
    assert after.agents == ("flight_agent",)
    before = embedded.plan(ask(f"What is the weather in Rome?\n{document}"))
    assert before.agents == ("weather_agent",)


def test_only_allowed_agents_are_chosen(embedded: Embedded, ask: Ask) -> None:
    plan = embedded.plan(ask("will it rain in Oslo?", allowed={"flight_agent"}))
    assert set(plan.agents) <= {"flight_agent"}
    assert set(plan.scores) == {"flight_agent"}
    assert embedded.plan(ask("will it rain?", allowed=())).agents == ()


def test_explain_tells_why(embedded: Embedded, ask: Ask) -> None:
    assert embedded.explain(ask("hotel in Rome"))[0].agent == "hotel_agent"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    text=st.text(max_size=300) | st.text(alphabet="weathr flighthoel,.and then\n", max_size=300),
    previous=st.sampled_from([None, "hotel_agent", "gone_agent"]),
    allowed=st.none() | st.sets(st.sampled_from(["weather_agent", "hotel_agent", "gone_agent"])),
)
def test_any_text_gives_a_sound_plan(
    embedded: Embedded, ask: Ask, text: str, previous: str | None, allowed: set[str] | None
) -> None:
    plan = embedded.plan(ask(text, previous=previous, allowed=allowed))
    candidates = {"weather_agent", "flight_agent", "hotel_agent"}
    if allowed is not None:
        candidates &= allowed
    assert set(plan.agents) <= candidates
    assert len(plan.agents) == len(set(plan.agents)) <= 3
    assert 0 <= plan.confidence <= 1
    assert set(plan.scores) == candidates
    assert all(math.isfinite(score) and 0 <= score <= 1 for score in plan.scores.values())


def test_the_order_of_the_agents_does_not_matter(travel: tuple[AgentInfo, ...], ask: Ask) -> None:
    questions = [ask(case["messages"]) for case in cases_of(HERE / "cases.jsonl")[:60]]
    there, back = (Embedded(agents, max_agents=3) for agents in (travel, travel[::-1]))
    for question in questions:
        one, other = there.plan(question), back.plan(question)
        assert one.agents == other.agents
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)


def test_what_was_decided_before_does_not_matter(travel: tuple[AgentInfo, ...], ask: Ask) -> None:
    questions = [ask(case["messages"]) for case in cases_of(HERE / "cases.jsonl")[:60]]
    forth, back = Embedded(travel, max_agents=3), Embedded(travel, max_agents=3)
    plans = [forth.plan(question) for question in questions]
    for question, plan in zip(questions[::-1], plans[::-1], strict=True):
        other = back.plan(question)
        assert other.agents == plan.agents
        assert other.confidence == pytest.approx(plan.confidence, abs=1e-5)


@pytest.mark.parametrize("examples", [0, 5])
def test_small_catalogues(ask: Ask, examples: int) -> None:
    cases = cases_of(HERE / "cases.jsonl")
    shares = right_share(HERE / "catalogues.json", cases, examples, ask)
    assert min(shares.values()) >= 0.75, shares
    assert sum(shares.values()) / len(shares) >= 0.84, shares


@pytest.mark.skipif(not DEV.exists(), reason="the shared evaluation data are not beside this clone")
@pytest.mark.parametrize(
    ("file", "examples", "floor"),
    [("agents.json", 0, 0.66), ("agents.json", 5, 0.73)],
)
def test_large_catalogues(ask: Ask, file: str, examples: int, floor: float) -> None:
    shares = right_share(DEV / file, cases_of(DEV / "cases.jsonl"), examples, ask)
    assert sum(shares.values()) / len(shares) >= floor, shares
