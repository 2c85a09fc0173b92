from __future__ import annotations

from collections.abc import Collection

import pytest

from extproc.conversation import Api, Conversation, Message
from extproc.json_document import JsonObject
from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.embedded.strategy import Embedded
from extproc.plan import Source

AGENTS = (
    AgentInfo("weather_agent", "Real-time weather and multi-day forecasts for any city."),
    AgentInfo("flight_agent", "Finds and books flights between airports."),
    AgentInfo("hotel_agent", "Searches hotels and reserves rooms."),
)


@pytest.fixture(scope="module")
def embedded() -> Embedded:
    return Embedded(AGENTS, max_agents=3)


def question(text: str, allowed: Collection[str] | None = None) -> Question:
    conversation = Conversation(Api.CHAT, JsonObject(b"{}", {}), None, (Message("user", text),))
    return Question(conversation, None if allowed is None else frozenset(allowed))


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("will it rain in Oslo tomorrow?", "weather_agent"),
        ("I want to fly to Rome", "flight_agent"),
        ("book me a room for two nights", "hotel_agent"),
    ],
)
async def test_the_agent_that_fits_is_chosen(embedded: Embedded, text: str, agent: str) -> None:
    plan = await embedded.decide(question(text))
    assert plan.agents == (agent,)
    assert plan.source is Source.EMBEDDED
    assert max(plan.scores, key=plan.scores.__getitem__) == agent


async def test_only_allowed_agents_are_chosen(embedded: Embedded) -> None:
    plan = await embedded.decide(question("will it rain in Oslo?", {"flight_agent"}))
    assert set(plan.agents) <= {"flight_agent"}
    assert set(plan.scores) == {"flight_agent"}


async def test_nothing_is_chosen_where_nothing_is_allowed(embedded: Embedded) -> None:
    assert (await embedded.decide(question("will it rain?", ()))).agents == ()
