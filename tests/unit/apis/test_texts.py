from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.apis.texts import texts

TOOL: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "name": "N",
            "content": [
                {"type": "text", "text": "u"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "image_url", "image_url": {"url": "http://h/x"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"q": 1}'}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "t"},
    ],
    "model": "m",
    "unknown": "k",
}
BLOCKS: dict[str, Any] = {
    "system": [{"type": "text", "text": "s"}],
    "messages": [
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "i", "name": "f", "input": {"name": "free"}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "i", "content": "r"},
                {"type": "image", "source": {"type": "base64", "data": "AAAA"}},
            ],
        },
    ],
}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (TOOL, ["s", "u", "http://h/x", '{"q": 1}', "t", "k"]),
        (BLOCKS, ["s", "free", "r"]),
        ({"input": "i", "instructions": "s", "model": "m"}, ["i", "s"]),
    ],
)
def test_what_somebody_wrote(body: dict[str, Any], expected: list[str]) -> None:
    assert [each.value for each in texts(json.dumps(body).encode())] == expected
