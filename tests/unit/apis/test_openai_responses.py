from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from extproc.apis import openai_responses
from extproc.apis.answers import UnreadableAnswer
from extproc.apis.api import DecodeLimits, decode, insert_answers, read_answer
from extproc.apis.edits import AgentAnswer, Position
from extproc.conversation import Api, Conversation, Message
from extproc.errors import InvalidRequest

SAID = [AgentAnswer("a", "A")]
TOLD = "The agent a has already answered the user's last message:\nA"
ANSWER = {"role": "assistant", "name": "a", "content": "A"}
USER = {"role": "user", "content": "hi"}


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


def test_an_answer_stands_before_the_turn_s_message_with_its_author(
    decode_json: Callable[..., Conversation],
) -> None:
    items = [USER, {"type": "function_call", "name": "f"}, {"type": "function_call_output"}]
    conversation = decode_json(Api.RESPONSES, input=items)
    assert insert_answers(conversation, SAID).document.get("input") == [ANSWER, *items]


def test_a_text_becomes_a_list_and_keeps_its_spelling(limits: DecodeLimits) -> None:
    body = b'{"x":1.0, "input" : "\\u00e9\\/" }'
    inserted = insert_answers(decode(Api.RESPONSES, body, limits), SAID)
    assert inserted.document.get("input") == [ANSWER, {"role": "user", "content": "é/"}]
    assert inserted.document.body.startswith(b'{"x":1.0, "input" : [')
    assert inserted.document.body.endswith(b'"\\u00e9\\/"}] }')
    assert inserted.turn == 1


@pytest.mark.parametrize(
    ("members", "instructions"),
    [
        ({}, TOLD),
        ({"instructions": None}, TOLD),
        ({"instructions": "be brief"}, f"be brief\n\n{TOLD}"),
    ],
)
def test_the_instructions_tell(
    members: dict[str, Any], instructions: str, decode_json: Callable[..., Conversation]
) -> None:
    conversation = decode_json(Api.RESPONSES, input="hi", **members)
    told = insert_answers(conversation, SAID, "system").document
    assert (told.get("instructions"), told.get("input")) == (instructions, "hi")


SYSTEM = {"role": "system", "content": "1"}
DEVELOPER = {"type": "message", "role": "developer", "content": [{"type": "input_text"}]}
CALL = {"type": "function_call", "name": "f", "role": "system"}


@pytest.mark.parametrize(
    ("members", "position", "instructions", "left"),
    [
        ({"input": "hi", "instructions": "a"}, "prepend", "new\n\na", "hi"),
        ({"input": [SYSTEM, USER]}, "prepend", "new", [SYSTEM, USER]),
        ({"input": "hi"}, "replace", "new", "hi"),
        ({"input": [USER], "instructions": "a"}, "replace", "new", [USER]),
        ({"input": [SYSTEM, USER, DEVELOPER, CALL]}, "replace", "new", [USER, CALL]),
        (
            {"input": [SYSTEM, DEVELOPER], "instructions": "a"},
            "replace",
            None,
            [{"role": "system", "content": "new"}],
        ),
    ],
)
def test_the_system_is_told_otherwise(
    members: dict[str, Any],
    position: Position,
    instructions: str | None,
    left: object,
    decode_json: Callable[..., Conversation],
) -> None:
    document = decode_json(Api.RESPONSES, **members).document
    told = openai_responses.instruct(document, "new", position)
    assert (told.get("instructions"), told.get("input")) == (instructions, left)


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": list(parts)}


HEL = {"type": "output_text", "text": "hel", "annotations": []}
LO = {"type": "output_text", "text": "lo"}


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"output": []}, ""),
        ({"output": [{"type": "reasoning", "content": 5}, message(HEL, LO)]}, "hello"),
        ({"output": [message(HEL), {"type": "web_search_call"}, message(LO)]}, "hello"),
        ({"output": [message({"type": "refusal", "refusal": "no"})], "status": "completed"}, "no"),
        ({"output": [message(HEL)], "status": "incomplete", "error": None}, "hel"),
        ({"output": [{"type": "function_call", "name": "f"}], "output_text": "x"}, ""),
        ({"output_text": "hello"}, "hello"),
    ],
)
def test_whole_answers(members: dict[str, Any], text: str) -> None:
    assert read_answer(Api.RESPONSES, json.dumps(members).encode()) == text


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"output": "hello"},
        {"output": ["hello"]},
        {"output": [{"type": "message", "content": 5}]},
        {"output_text": 5},
        {"output": [message(HEL)], "status": "failed"},
        {"output": [message(HEL)], "status": "in_progress"},
        {"output": [], "status": "queued"},
        {"output": [], "status": []},
        {"output": [message(HEL)], "error": {"code": "server_error"}},
    ],
)
def test_other_objects_are_no_answer(members: dict[str, Any]) -> None:
    with pytest.raises(UnreadableAnswer):
        read_answer(Api.RESPONSES, json.dumps(members).encode())


DELTAS = [
    {"type": "response.created", "response": {"status": "in_progress", "output": []}},
    {"type": "response.reasoning_text.delta", "delta": "hm"},
    {"type": "response.output_text.delta", "delta": "hel"},
    {"type": "response.output_text.delta", "delta": "lo"},
    {"type": "response.output_text.done", "text": "hello"},
]


def final(kind: str, **response: object) -> dict[str, Any]:
    return {"type": f"response.{kind}", "response": response}


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([*DELTAS, final("completed", output=[message(HEL, LO)])], "hello"),
        ([*DELTAS, final("completed", output=[])], "hello"),
        ([*DELTAS, final("incomplete", status="incomplete", output=[message(HEL)])], "hel"),
        ([final("completed", output=[message(HEL)])], "hel"),
        ([final("completed", output=[{"type": "function_call"}])], ""),
        (
            [{"type": "response.refusal.delta", "delta": "no"}, final("completed", output=[])],
            "no",
        ),
    ],
)
def test_streams(events: list[Any], text: str, sse: Callable[..., bytes]) -> None:
    assert read_answer(Api.RESPONSES, sse(*events, done=True)) == text


@pytest.mark.parametrize(
    "events",
    [
        [],
        DELTAS,
        [*DELTAS, final("failed", status="failed", error={"code": "server_error"})],
        [*DELTAS, {"type": "error", "code": "server_error", "message": "overloaded"}],
        [*DELTAS, final("completed", output=[message(HEL)], error={"code": "server_error"})],
        [*DELTAS, final("completed")],
        [*DELTAS, {"type": "response.completed"}],
        [*DELTAS, {"type": "response.completed", "response": "hello"}],
        [{"type": "response.output_text.delta", "delta": 5}],
    ],
)
def test_other_streams_are_no_answer(events: list[Any], sse: Callable[..., bytes]) -> None:
    with pytest.raises(UnreadableAnswer):
        read_answer(Api.RESPONSES, sse(*events, done=True))
