"""What earlier agents may answer, and what the last agent is told of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.plans.conftest import Agents, Behaviour, Client

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = (CHAT, MESSAGES, RESPONSES)
LISTENERS = ("fail", "parallel")
TEXT = 'Snow: 3 °C, "wörld" \\ 東京 😀\n\n2nd line'


def told(agents: Agents, request_id: str) -> list[str]:
    """What the last agent was told before the user's message."""
    last = agents.calls(request_id)[-1]
    assert last.agent == "b"
    body = last.json
    said = body.get("messages") or body["input"]
    if isinstance(said, str):
        return []
    *before, turn = said
    assert turn == {"role": "user", "content": "do it all"}
    return [entry["content"] for entry in before]


FORMS: dict[str, Callable[[Agents], Behaviour]] = {
    "json": lambda agents: agents.says(TEXT),
    "stream": lambda agents: agents.streams(TEXT),
    "gzip": lambda agents: agents.zipped(TEXT),
}


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("form", FORMS)
def test_whatever_the_form_the_text_is_passed_on(
    plans: Client, agents: Agents, form: str, path: str, listener: str
) -> None:
    request_id = agents.script(a=FORMS[form](agents))
    answer = plans.post(listener, "a,b", path=path, under=request_id)
    assert answer.status_code == 200
    assert "b says so" in answer.text
    assert told(agents, request_id) == [TEXT]


def chat(message: Any, **choice: Any) -> Any:
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}, **choice}]}


def message(*content: Any, **more: Any) -> Any:
    return {"type": "message", "role": "assistant", "content": list(content), **more}


def response(*output: Any, **more: Any) -> Any:
    return {"object": "response", "status": "completed", "output": list(output), **more}


def part(text: str, kind: str = "text") -> Any:
    return {"type": kind, "text": text}


TOOL = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
CALL = {"type": "function_call", "call_id": "t", "name": "f", "arguments": "{}"}
THOUGHT = {"type": "thinking", "thinking": "?"}
REFUSAL = {"type": "refusal", "refusal": "I will not."}
OUT = part("so far", "output_text")
ANSWERS: list[tuple[str, Any, list[str]]] = [
    (CHAT, chat({"content": [part("one"), part(" two")]}), ["one two"]),
    (CHAT, chat({"content": None, "refusal": "I will not."}), ["I will not."]),
    (CHAT, chat({"content": "cut off"}, finish_reason="length"), ["cut off"]),
    (CHAT, chat({"content": None, "tool_calls": [TOOL]}, finish_reason="tool_calls"), []),
    (CHAT, chat({"content": "text too", "tool_calls": [TOOL]}), ["text too"]),
    (CHAT, chat({"content": "  \n"}), []),
    (CHAT, chat({"content": "said", "reasoning_content": "thought"}), ["said"]),
    (MESSAGES, message(part("one"), part(" two")), ["one two"]),
    (MESSAGES, message(THOUGHT, part("x")), ["x"]),
    (MESSAGES, message(USE), []),
    (MESSAGES, message(part("no"), stop_reason="refusal"), ["no"]),
    (RESPONSES, response(message(OUT, part("!", "output_text"))), ["so far!"]),
    (RESPONSES, response(message(REFUSAL)), ["I will not."]),
    (RESPONSES, response({"type": "reasoning", "summary": []}, CALL), []),
    (RESPONSES, response(CALL, message(OUT)), ["so far"]),
    (RESPONSES, response(message(OUT), status="incomplete"), ["so far"]),
]


@pytest.mark.parametrize(("path", "body", "expected"), ANSWERS)
def test_text_is_what_counts(
    plans: Client, agents: Agents, path: str, body: Any, expected: list[str]
) -> None:
    request_id = agents.script(a=agents.answers(body))
    assert plans.post("fail", "a,b", path=path, under=request_id).status_code == 200
    assert told(agents, request_id) == expected


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_without_text_leaves_the_body_as_it_was(
    plans: Client, agents: Agents, path: str
) -> None:
    body = next(body for kind, body, expected in ANSWERS if kind == path and not expected)
    request_id = agents.script(a=agents.answers(body))
    content = json.dumps(
        {"input" if path == RESPONSES else "messages": [{"role": "user", "content": "hi"}]}
    ).encode()
    assert plans.post("fail", "a,b", content, path=path, under=request_id).status_code == 200
    assert agents.calls(request_id)[-1].body == content


def test_any_status_of_success_and_any_content_type_will_do(plans: Client, agents: Agents) -> None:
    body = chat({"content": "created"})
    request_id = agents.script(
        a=agents.answers(body, status=201, headers={"content-type": "text/plain"})
    )
    assert plans.post("fail", "a,b", under=request_id).status_code == 200
    assert told(agents, request_id) == ["created"]


def test_nothing_else_of_an_earlier_answer_gets_anywhere(plans: Client, agents: Agents) -> None:
    headers = {"set-cookie": "s=1", "x-private": "1", "x-outerloop-agent": "d"}
    a = agents.answers(chat({"content": "said"}), headers=headers)
    request_id = agents.script(a=a)
    answer = plans.post("fail", "a,b", under=request_id)
    last = agents.calls(request_id)[-1]
    assert "set-cookie" not in answer.headers
    assert "x-private" not in answer.headers
    assert last.header("cookie") is None
    assert last.header("x-private") is None
    assert answer.headers["x-outerloop-agent"] == "b"


def test_long_answers_are_passed_on_whole(plans: Client, agents: Agents) -> None:
    request_id = agents.script(a=agents.floods(10 * 2**20), b=agents.floods(5 * 2**20))
    assert plans.post("fail", "a,b,c", under=request_id).status_code == 200
    last = agents.calls(request_id)[-1]
    assert [len(text) for _, text in last.texts] == [10 * 2**20, 5 * 2**20, len("do it all")]
