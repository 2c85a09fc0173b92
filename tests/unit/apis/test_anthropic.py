from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from extproc.apis import anthropic
from extproc.apis.answers import UnreadableAnswer
from extproc.apis.api import insert_answers, read_answer
from extproc.apis.edits import AgentAnswer, Position
from extproc.conversation import Api, Conversation, Message

TEXT = {"type": "text", "text": "and tomorrow?"}
RESULT = {"type": "tool_result", "tool_use_id": "1", "content": "sunny"}
SAID = [AgentAnswer("a", "A")]
TOLD = "The agent a has already answered the user's last message:\nA"
USER = {"role": "user", "content": "hi"}


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


def test_an_answer_stands_before_the_turn_s_message_without_an_author(
    decode_json: Callable[..., Conversation],
) -> None:
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "1"}]}
    results = {"role": "user", "content": [RESULT]}
    conversation = decode_json(Api.MESSAGES, messages=[USER, call, results])
    inserted = insert_answers(conversation, SAID).document.get("messages")
    assert inserted == [{"role": "assistant", "content": "A"}, USER, call, results]


@pytest.mark.parametrize(
    ("members", "system"),
    [
        ({}, TOLD),
        ({"system": "be brief"}, f"be brief\n\n{TOLD}"),
        ({"system": [TEXT]}, [TEXT, {"type": "text", "text": TOLD}]),
    ],
)
def test_the_member_system_tells(
    members: dict[str, Any], system: object, decode_json: Callable[..., Conversation]
) -> None:
    conversation = decode_json(Api.MESSAGES, messages=[USER], **members)
    told = insert_answers(conversation, SAID, "system").document
    assert (told.get("system"), told.get("messages")) == (system, [USER])


@pytest.mark.parametrize(
    ("members", "position", "system"),
    [
        ({}, "prepend", "new"),
        ({"system": "be brief"}, "prepend", "new\n\nbe brief"),
        ({"system": [TEXT]}, "prepend", [{"type": "text", "text": "new"}, TEXT]),
        ({}, "replace", "new"),
        ({"system": "be brief"}, "replace", "new"),
        ({"system": [TEXT]}, "replace", "new"),
    ],
)
def test_the_member_system_is_told_otherwise(
    members: dict[str, Any],
    position: Position,
    system: object,
    decode_json: Callable[..., Conversation],
) -> None:
    document = decode_json(Api.MESSAGES, messages=[USER], **members).document
    told = anthropic.instruct(document, "new", position)
    assert (told.get("system"), told.get("messages")) == (system, [USER])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([], ""),
        ([TEXT, {"type": "tool_use", "id": "1"}, TEXT], "and tomorrow?and tomorrow?"),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "hello"}], "hello"),
    ],
)
def test_whole_answers(content: list[Any], text: str) -> None:
    body = json.dumps({"type": "message", "content": content, "stop_reason": "refusal"}).encode()
    assert read_answer(Api.MESSAGES, body) == text


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"content":"hello"}',
        b'{"content":["hello"]}',
        b'{"type":"error","error":{"type":"overloaded_error"}}',
    ],
)
def test_other_objects_are_no_answer(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        read_answer(Api.MESSAGES, body)


def begin(**block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": 0, "content_block": block}


def delta(**members: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": members}


HELLO = [
    {"type": "message_start", "message": {"content": []}},
    {"type": "ping"},
    begin(type="thinking", thinking=""),
    delta(type="thinking_delta", thinking="hm"),
    begin(type="text", text="hel"),
    delta(type="text_delta", text="lo"),
    begin(type="tool_use", id="1", input={}),
    delta(type="input_json_delta", partial_json="{}"),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
]
END = {"type": "message_stop"}


def test_streams(sse: Callable[..., bytes]) -> None:
    assert read_answer(Api.MESSAGES, sse(*HELLO, END)) == "hello"
    assert read_answer(Api.MESSAGES, sse({"new": 1}, {"type": ["new"]}, END, done=True)) == ""


@pytest.mark.parametrize(
    "events",
    [
        [],
        HELLO,
        [*HELLO, {"type": "error", "error": {"type": "overloaded_error"}}, END],
        [delta(type="text_delta", text=5), END],
        [{"type": "content_block_delta"}, END],
        [{"type": "content_block_start"}, END],
    ],
)
def test_other_streams_are_no_answer(events: list[Any], sse: Callable[..., bytes]) -> None:
    with pytest.raises(UnreadableAnswer):
        read_answer(Api.MESSAGES, sse(*events, done=True))
