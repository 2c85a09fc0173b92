"""The question to the model, as a body of `/v1/chat/completions`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from extproc.conversation import Conversation
from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.model.prompt import Prompt
from extproc.orchestrator.window import window

RESPONSE_FORMAT: Final = "response_format"
TEMPERATURE: Final = "temperature"
MAX_TOKENS: Final = "max_tokens"

_MOST_TOKENS: Final = 512
"""A plan takes a few dozen; the rest is for a model that thinks aloud. It ends one that babbles."""


def build_request(
    conversation: Conversation,
    agents: Sequence[AgentInfo],
    *,
    model: str,
    prompt: Prompt,
    without: AbstractSet[str] = frozenset(),
) -> bytes:
    """Return a request body that asks `model` for the agents of a conversation, in order.

    One user message, which every chat template takes, with nothing of the conversation but its
    window. `without` names members that a server does not take: `RESPONSE_FORMAT`, `TEMPERATURE`,
    `MAX_TOKENS`.
    """
    text = prompt.render(agents, window(conversation))
    optional: dict[str, Any] = {
        TEMPERATURE: 0,
        MAX_TOKENS: _MOST_TOKENS,
        RESPONSE_FORMAT: _response_format([agent.id for agent in agents]),
    }
    body = {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "stream": False,
        **{name: value for name, value in optional.items() if name not in without},
    }
    return json.dumps(body, ensure_ascii=False).encode(errors="replace")


def _response_format(ids: Sequence[str]) -> dict[str, Any]:
    """Within the part of JSON Schema that strict servers take: no bounds on the list's length."""
    schema = {
        "type": "object",
        "properties": {"route": {"type": "array", "items": {"type": "string", "enum": ids}}},
        "required": ["route"],
        "additionalProperties": False,
    }
    json_schema = {"name": "route", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": json_schema}
