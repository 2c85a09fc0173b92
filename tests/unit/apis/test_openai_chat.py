from __future__ import annotations

from collections.abc import Callable

from extproc.conversation import Api, Conversation, Message


def test_roles_texts_and_names(decode_json: Callable[..., Conversation]) -> None:
    conversation = decode_json(
        Api.CHAT,
        messages=[
            {"role": "developer", "content": [{"type": "text", "text": "be brief"}]},
            {"role": "user", "content": "weather?", "name": "ada"},
            {"role": "assistant", "name": "weather_agent", "tool_calls": [{"id": "1"}]},
            {"role": "tool", "tool_call_id": "1", "content": "sunny"},
        ],
    )
    assert conversation.messages == (
        Message("developer", "be brief"),
        Message("user", "weather?", "ada"),
        Message("assistant", "", "weather_agent"),
        Message("tool", "sunny"),
    )
    assert conversation.is_continuation
    assert conversation.turn == 1


def test_unknown_roles_old_functions_and_odd_names_pass(
    decode_json: Callable[..., Conversation],
) -> None:
    conversation = decode_json(
        Api.CHAT,
        messages=[
            {"role": "critic", "content": None, "name": 5},
            {"role": "function", "name": "f", "content": "1"},
        ],
    )
    assert conversation.messages == (Message("critic", ""), Message("tool", "1", "f"))
