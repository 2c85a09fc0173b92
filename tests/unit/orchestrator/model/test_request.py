from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.conversation import Api, Conversation, Message
from extproc.json_document import JsonObject
from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.model.prompt import DEFAULT_PROMPT
from extproc.orchestrator.model.request import (
    MAX_TOKENS,
    RESPONSE_FORMAT,
    TEMPERATURE,
    build_request,
)

AGENTS = (AgentInfo("weather", "Forecasts."), AgentInfo("hotel", "Rooms."))
MESSAGES = (
    Message("system", "SECRET"),
    Message("user", "Will it rain in Zürich?"),
    Message("assistant", "No.", name="weather"),
    Message("tool", "TOOL"),
    Message("user", "And a lone \ud800?"),
)
CONVERSATION = Conversation(Api.CHAT, JsonObject(b"{}", {}), "gpt-x", MESSAGES)


def build(without: frozenset[str] = frozenset()) -> tuple[str, dict[str, Any]]:
    body = build_request(
        CONVERSATION, AGENTS, model="router-4b", prompt=DEFAULT_PROMPT, without=without
    )
    return body.decode(), json.loads(body)


def test_it_asks_for_one_short_sure_answer() -> None:
    _, body = build()
    assert (body["model"], body["stream"], body["temperature"]) == ("router-4b", False, 0)
    assert body["max_tokens"] <= 512
    assert [message["role"] for message in body["messages"]] == ["user"]


def test_it_shows_the_window_and_nothing_else() -> None:
    text, body = build()
    prompt = body["messages"][0]["content"]
    assert "Will it rain in Zürich?" in prompt
    assert "And a lone ??" in prompt
    assert "SECRET" not in text
    assert "TOOL" not in text
    assert "gpt-x" not in text


def test_the_schema_takes_any_list_of_the_agents() -> None:
    _, body = build()
    form = body["response_format"]
    assert (form["type"], form["json_schema"]["strict"]) == ("json_schema", True)
    assert form["json_schema"]["schema"] == {
        "type": "object",
        "properties": {
            "route": {"type": "array", "items": {"type": "string", "enum": ["weather", "hotel"]}}
        },
        "required": ["route"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize("name", [RESPONSE_FORMAT, TEMPERATURE, MAX_TOKENS])
def test_what_a_server_does_not_take_is_left_out(name: str) -> None:
    whole = build()[1]
    assert build(frozenset({name}))[1] == {k: v for k, v in whole.items() if k != name}
