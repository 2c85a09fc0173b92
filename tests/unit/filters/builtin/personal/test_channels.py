from __future__ import annotations

from typing import Any

import pytest

from extproc.filters.api import FilterError
from extproc.filters.builtin.personal.channels import Channel, End, channel_of, ends


def chat(choice: str | None, delta: dict[str, Any], **members: Any) -> dict[str, Any]:
    index = {} if choice is None else {"index": choice}
    return {"choices": [{**index, "delta": delta, **members}]}


def tool(index: str, arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}


ARGUMENTS = ("choices", 0, "delta", "tool_calls", 0, "function", "arguments")
SUMMARY = {"type": "response.reasoning_summary_text.delta", "item_id": "r", "summary_index": "1"}


@pytest.mark.parametrize(
    ("path", "data", "channel"),
    [
        (
            ("choices", 0, "delta", "content"),
            chat("2", {"content": "a"}),
            Channel(("choice", "2"), ("content",)),
        ),
        (
            ("choices", 0, "delta", "reasoning_content"),
            chat(None, {"reasoning_content": "a"}),
            Channel(("choice", "0"), ("reasoning_content",)),
        ),
        (
            ARGUMENTS,
            chat("0", tool("3", "{")),
            Channel(("choice", "0"), ("tool_calls", "3", "function", "arguments")),
        ),
        (
            ("delta", "partial_json"),
            {"type": "content_block_delta", "index": "1", "delta": {"partial_json": "{"}},
            Channel(("block", "1"), ("", "partial_json")),
        ),
        (
            ("content_block", "text"),
            {"type": "content_block_start", "index": "1", "content_block": {"text": "a"}},
            Channel(("block", "1"), ("", "text")),
        ),
        (
            ("delta",),
            {
                "type": "response.output_text.delta",
                "item_id": "any",
                "delta": "a",
                "output_index": "1",
                "content_index": "0",
            },
            Channel(("block", "1"), ("response.output_text", "0", "None")),
        ),
        (
            ("delta",),
            SUMMARY | {"delta": "a"},
            Channel(("block", "r"), ("response.reasoning_summary_text", "None", "1")),
        ),
        (("response", "output", 0, "content", 0, "text"), {"type": "response.completed"}, None),
        (("text",), {"type": "response.output_text.done", "output_index": "1"}, None),
        (("choices", 0, "message", "content"), {"choices": [{"message": {"content": ""}}]}, None),
        (("error", "message"), {"error": {"message": ""}}, None),
        (("message", "content", 0, "text"), {"type": "message_start"}, None),
    ],
)
def test_channels(path: tuple[str | int, ...], data: dict[str, Any], channel: Channel) -> None:
    assert channel_of(path, data) == channel


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (
            ("delta", "citation", "cited_text"),
            {"type": "content_block_delta", "delta": {"citation": {"cited_text": "x"}}},
        ),
        (
            ("content_block", "content", 0, "text"),
            {"type": "content_block_start", "content_block": {"content": [{"text": "x"}]}},
        ),
        (
            ("choices", 0, "delta", "annotations", 0, "title"),
            chat("0", {"annotations": [{"title": "x"}]}),
        ),
    ],
)
def test_what_comes_whole_is_no_piece(path: tuple[str | int, ...], data: dict[str, Any]) -> None:
    assert channel_of(path, data) is None


def test_a_member_that_another_one_hides_is_a_failure() -> None:
    with pytest.raises(FilterError, match="twice"):
        channel_of(("choices", 1, "delta", "content"), chat("0", {"content": "a"}))
    with pytest.raises(FilterError, match="twice"):
        channel_of(("choices", 0, "delta", "content"), {"choices": None})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (chat("0", {"content": "a"}, finish_reason=None), []),
        (chat("0", {"content": "a"}, finish_reason=""), []),
        (chat("1", {}, finish_reason="stop"), [End(("choice", "1"))]),
        ({"choices": [], "usage": {}}, []),
        ({"choices": ["odd", None], "type": ["odd"]}, []),
        ({"type": "content_block_delta", "index": "0"}, []),
        ({"type": "content_block_stop", "index": "0"}, [End(("block", "0"))]),
        ({"type": "message_stop"}, [End()]),
        ({"type": "response.completed"}, [End()]),
        ({"error": {"message": "broken"}}, [End()]),
        ({"type": "response.output_item.done", "output_index": "1"}, [End(("block", "1"))]),
        (
            {"type": "response.output_text.done", "output_index": "1", "content_index": "0"},
            [End(("block", "1"), "response.output_text")],
        ),
    ],
)
def test_ends(data: dict[str, Any], expected: list[End]) -> None:
    assert list(ends(data)) == expected


def test_what_an_end_is_the_end_of() -> None:
    channel = Channel(("block", "1"), ("response.output_text", "0", "None"))
    assert End().of(channel)
    assert End(("block", "1")).of(channel)
    assert End(("block", "1"), "response.output_text").of(channel)
    assert not End(("block", "2")).of(channel)
    assert not End(("block", "1"), "response.content_part").of(channel)
