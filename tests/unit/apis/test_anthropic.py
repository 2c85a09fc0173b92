from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.conversation import Api, Conversation, Message

TEXT = {"type": "text", "text": "and tomorrow?"}
RESULT = {"type": "tool_result", "tool_use_id": "1", "content": "sunny"}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"role": "user", "content": "weather?"}, Message("user", "weather?")),
        ({"role": "user", "content": [TEXT]}, Message("user", "and tomorrow?")),
        ({"role": "user", "content": [RESULT, RESULT]}, Message("tool", "")),
        ({"role": "user", "content": [RESULT, TEXT]}, Message("user", "and tomorrow?")),
        ({"role": "user", "content": []}, Message("user", "")),
        ({"role": "assistant", "content": [RESULT]}, Message("assistant", "")),
        ({"role": "assistant", "content": [{"type": "tool_use"}]}, Message("assistant", "")),
    ],
)
def test_messages(
    message: dict[str, Any], expected: Message, decode_json: Callable[..., Conversation]
) -> None:
    assert decode_json(Api.MESSAGES, messages=[message]).messages == (expected,)


def test_system_is_no_message(decode_json: Callable[..., Conversation]) -> None:
    conversation = decode_json(
        Api.MESSAGES, system="be brief", messages=[{"role": "user", "content": "hi"}]
    )
    assert conversation.messages == (Message("user", "hi"),)
