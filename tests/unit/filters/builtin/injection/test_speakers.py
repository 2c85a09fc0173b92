from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.filters.builtin.injection.speakers import written_by


def users(**body: Any) -> list[str]:
    return list(written_by(json.dumps(body).encode(), ["user"]))


def tools(**body: Any) -> list[str]:
    return list(written_by(json.dumps(body).encode(), ["tool"]))


def test_roles_of_chat_completions() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    messages = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "u"}]},
        {"role": "assistant", "content": "a", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "t"},
        {"content": "f", "role": "function"},
        {"role": "stranger", "content": "x"},
    ]
    body: dict[str, Any] = {"model": "m", "messages": messages, "tools": [{"description": "d"}]}
    assert users(**body) == ["u", "x"]
    assert tools(**body) == ["t", "f"]


def test_blocks_of_messages_tell_results_from_what_users_say() -> None:
    found = {"type": "web_search_tool_result", "content": [{"title": "w"}]}
    messages = [
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, found]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": "t"},
                {"content": [{"type": "text", "text": "n"}], "type": "tool_result"},
                {"type": "text", "text": "and?"},
            ],
        },
    ]
    assert users(system="s", messages=messages) == ["u", "and?"]
    assert tools(system="s", messages=messages) == ["w", "t", "n"]


def test_items_of_responses() -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "u"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "r"}]},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "t"},
        {"type": "mcp_call", "arguments": "{}", "output": "m"},
        {"type": "file_search_call", "queries": ["q"], "results": [{"text": "f"}]},
    ]
    assert users(instructions="i", input=items) == ["u"]
    assert tools(instructions="i", input=items) == ["t", "m", "f"]


def test_an_input_of_one_text_and_variables_are_the_user_s() -> None:
    prompt = {"id": "p", "variables": {"city": "v"}}
    assert users(input="u", prompt=prompt, metadata={"k": "x"}) == ["u", "v"]


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_members_does_not_matter(order: int) -> None:
    entry = dict([("role", "tool"), ("content", "t")][::order])
    assert users(messages=[entry]) == []
    assert tools(messages=[entry]) == ["t"]
