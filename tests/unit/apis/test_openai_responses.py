from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.conversation import Api, Conversation, Message
from extproc.errors import InvalidRequest


def test_a_text_is_one_user_message(decode_json: Callable[..., Conversation]) -> None:
    conversation = decode_json(Api.RESPONSES, input="hi", previous_response_id="resp_1")
    assert conversation.messages == (Message("user", "hi"),)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"role": "user", "content": "hi"}, Message("user", "hi")),
        (
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            Message("user", "hi"),
        ),
        (
            {"type": None, "role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
            Message("assistant", "x"),
        ),
        ({"type": "function_call_output", "output": "1"}, Message("tool", "")),
        ({"type": "computer_call_output"}, Message("tool", "")),
        ({"type": "mcp_approval_response", "approve": True}, Message("tool", "")),
        ({"type": "function_call", "name": "f"}, Message("assistant", "")),
        ({"type": "reasoning", "content": 5}, Message("assistant", "")),
        ({"id": "msg_1"}, Message("assistant", "")),
    ],
)
def test_items(
    item: dict[str, Any], expected: Message, decode_json: Callable[..., Conversation]
) -> None:
    first = {"role": "user", "content": "first"}
    conversation = decode_json(Api.RESPONSES, input=[first, item])
    assert conversation.messages == (Message("user", "first"), expected)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "input is missing"),
        ({"input": None}, "input is missing"),
        ({"input": ""}, "input is empty"),
        ({"input": []}, "input is empty"),
        ({"input": {"role": "user"}}, "input must be text or a list"),
        ({"input": ["hi"]}, r"input\[0\] must be an object"),
        ({"input": [{"type": 5}]}, r"input\[0\].type must be text"),
        ({"input": [{"type": "message"}]}, r"input\[0\].role must be text"),
    ],
)
def test_refusals(
    members: dict[str, Any], message: str, decode_json: Callable[..., Conversation]
) -> None:
    with pytest.raises(InvalidRequest, match=f"^{message}$"):
        decode_json(Api.RESPONSES, **members)
