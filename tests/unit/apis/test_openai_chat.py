from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from extproc.apis import openai_chat
from extproc.apis.answers import UnreadableAnswer
from extproc.apis.api import insert_answers, read_answer
from extproc.apis.edits import AgentAnswer, Position
from extproc.conversation import Api, Conversation, Message

SAID = [AgentAnswer("a", "A")]
TOLD = "The agent a has already answered the user's last message:\nA"
USER = {"role": "user", "content": "hi"}


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


def test_an_answer_stands_before_the_turn_s_message_with_its_author(
    decode_json: Callable[..., Conversation],
) -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "1"}]}
    result = {"role": "tool", "tool_call_id": "1", "content": "sunny"}
    conversation = decode_json(Api.CHAT, messages=[USER, call, result])
    inserted = insert_answers(conversation, SAID).document.get("messages")
    assert inserted == [{"role": "assistant", "name": "a", "content": "A"}, USER, call, result]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([USER], [{"role": "system", "content": TOLD}, USER]),
        (
            [{"role": "system", "content": "be brief"}, USER],
            [{"role": "system", "content": f"be brief\n\n{TOLD}"}, USER],
        ),
        (
            [USER, {"role": "developer", "content": [], "x": 1}],
            [USER, {"role": "developer", "content": [{"type": "text", "text": TOLD}], "x": 1}],
        ),
        (
            [{"role": "system", "content": None}, USER],
            [{"role": "system", "content": TOLD}, {"role": "system", "content": None}, USER],
        ),
        (
            [{"role": "system", "content": "1"}, {"role": "system", "content": "2"}],
            [{"role": "system", "content": f"1\n\n{TOLD}"}, {"role": "system", "content": "2"}],
        ),
    ],
)
def test_the_first_system_message_with_a_content_tells(
    before: list[Any], after: list[Any], decode_json: Callable[..., Conversation]
) -> None:
    conversation = decode_json(Api.CHAT, messages=before)
    assert insert_answers(conversation, SAID, "system").document.get("messages") == after


SYSTEM = {"role": "system", "content": "1", "name": "s"}
DEVELOPER = {"role": "developer", "content": [{"type": "text", "text": "2"}]}


@pytest.mark.parametrize(
    ("before", "position", "after"),
    [
        ([USER], "prepend", [{"role": "system", "content": "new"}, USER]),
        ([USER, SYSTEM], "prepend", [USER, SYSTEM | {"content": "new\n\n1"}]),
        (
            [DEVELOPER, SYSTEM],
            "prepend",
            [{"role": "developer", "content": [{"type": "text", "text": "new"},
                                               {"type": "text", "text": "2"}]}, SYSTEM],
        ),
        ([USER], "replace", [{"role": "system", "content": "new"}, USER]),
        ([SYSTEM, USER], "replace", [{"role": "system", "content": "new"}, USER]),
        (
            [USER, DEVELOPER, USER, {"role": "system", "content": None}],
            "replace",
            [USER, {"role": "developer", "content": "new"}, USER],
        ),
        ([SYSTEM, DEVELOPER], "replace", [{"role": "system", "content": "new"}]),
    ],
)  # fmt: skip
def test_the_system_is_told_otherwise(
    before: list[Any],
    position: Position,
    after: list[Any],
    decode_json: Callable[..., Conversation],
) -> None:
    document = decode_json(Api.CHAT, messages=before).document
    assert openai_chat.instruct(document, "new", position).get("messages") == after


def choice(message: object, **members: object) -> bytes:
    return json.dumps({"choices": [{"message": message, **members}]}).encode()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (choice({"content": "hello"}), "hello"),
        (choice({"content": None, "refusal": "no"}), "no"),
        (choice({"content": None, "tool_calls": [{"id": "1"}]}, finish_reason="tool_calls"), ""),
        (choice({"content": "cut", "reasoning_content": "hm"}, finish_reason="length"), "cut"),
        (choice({"content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}), "a"),
        (choice({}), ""),
        (
            b'{"choices":[{"index":1,"finish_reason":"error"},{"message":{"content":"a"}}]}',
            "a",
        ),
    ],
)
def test_whole_answers(body: bytes, text: str) -> None:
    assert read_answer(Api.CHAT, body) == text


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"choices":null}',
        b'{"choices":[]}',
        b'{"choices":{}}',
        b'{"choices":["hello"]}',
        b'{"choices":[{"text":"hello"}]}',
        b'{"choices":[{"index":1,"message":{"content":"hello"}}]}',
        choice("hello"),
        choice({"content": 5}),
        choice({"content": "hello"}, finish_reason="error"),
    ],
)
def test_other_objects_are_no_answer(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        read_answer(Api.CHAT, body)


def chunk(delta: object, finish_reason: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}]}


HELLO = [chunk({"role": "assistant", "content": ""}), chunk({"content": "hel"})]
END = chunk({"content": "lo"}, "stop")


@pytest.mark.parametrize(
    ("events", "done", "text"),
    [
        ([*HELLO, END], True, "hello"),
        ([*HELLO, END], False, "hello"),
        (HELLO, True, "hel"),
        (
            [{"choices": []}, *HELLO, {"unknown": 1}, END, {"choices": [], "usage": {}}],
            True,
            "hello",
        ),
        ([*HELLO, chunk({"content": "x"}, "stop", 1), chunk(None, "stop")], False, "hel"),
        ([chunk({"tool_calls": [{"index": 0}]}), chunk({}, "tool_calls")], True, ""),
        ([chunk({"refusal": "n"}), chunk({"refusal": "o"}), chunk({}, "stop")], True, "no"),
        ([chunk({"content": [{"type": "text", "text": "a"}]}), chunk({}, "stop")], True, "a"),
    ],
)
def test_streams(events: list[Any], done: bool, text: str, sse: Callable[..., bytes]) -> None:
    assert read_answer(Api.CHAT, sse(*events, done=done)) == text


@pytest.mark.parametrize(
    ("events", "done"),
    [
        ([], False),
        ([], True),
        (HELLO, False),
        ([*HELLO, chunk({"content": "x"}, "stop", 1)], False),
        ([*HELLO, chunk({"content": "lo"}, "")], False),
        ([*HELLO, {"error": {"message": "overloaded"}}], True),
        ([*HELLO, {"object": "error", "message": "overloaded"}], True),
        ([*HELLO, chunk({"content": ""}, "error")], True),
        ([chunk("hello", "stop")], True),
        ([{"type": "message_stop"}], True),
    ],
)
def test_other_streams_are_no_answer(
    events: list[Any], done: bool, sse: Callable[..., bytes]
) -> None:
    with pytest.raises(UnreadableAnswer):
        read_answer(Api.CHAT, sse(*events, done=done))
