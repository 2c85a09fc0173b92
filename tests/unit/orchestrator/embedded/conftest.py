from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest

from extproc.conversation import Api, Conversation, Message
from extproc.json_document import JsonObject
from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.embedded.dense import TokenTable

Ask = Callable[..., Question]


@pytest.fixture(scope="session")
def table() -> TokenTable:
    return TokenTable.shipped()


@pytest.fixture(scope="session")
def travel() -> tuple[AgentInfo, ...]:
    return (
        AgentInfo("weather_agent", "Real-time weather and multi-day forecasts for any city."),
        AgentInfo("flight_agent", "Finds and books flights between airports."),
        AgentInfo("hotel_agent", "Searches hotels and reserves rooms."),
    )


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Make a question of a text, or of messages as the cases of an evaluation have them."""

    def make(
        said: str | list[dict[str, Any]],
        *,
        allowed: Collection[str] | None = None,
        previous: str | None = None,
    ) -> Question:
        entries = [{"role": "user", "content": said}] if isinstance(said, str) else said
        messages = tuple(Message(entry["role"], entry["content"]) for entry in entries)
        conversation = Conversation(Api.CHAT, JsonObject(b"{}", {}), None, messages)
        return Question(conversation, None if allowed is None else frozenset(allowed), previous)

    return make
