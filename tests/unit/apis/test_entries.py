from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.apis.entries import Misshapen, read_entries, role_of, text_of
from extproc.conversation import Message
from extproc.errors import InvalidRequest
from extproc.json_document import JsonObject, parse
from extproc.json_scan import JsonValue


def document(**members: object) -> JsonObject:
    return parse(json.dumps(members).encode(), max_depth=9)


def read(entry: Any) -> Message:
    return Message(role_of(entry), text_of(entry.get("content")))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "m is missing"),
        ({"m": None}, "m must be a list"),
        ({"m": {"0": {}}}, "m must be a list"),
        ({"m": []}, "m is empty"),
        ({"m": ["secret"]}, r"m\[0\] must be an object"),
        ({"m": [{"role": "user"}, {"role": 5}]}, r"m\[1\].role must be text"),
        ({"m": [{}]}, r"m\[0\].role must be text"),
        (
            {"m": [{"role": "secret", "content": 7}]},
            r"m\[0\].content must be text or a list of parts",
        ),
        ({"m": [{"role": "user"}] * 3}, "m has more than 2 entries"),
    ],
)
def test_a_refusal_names_the_place(members: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{message}$"):
        read_entries(document(**members), "m", 2, read)


def test_entries_keep_their_order_up_to_the_limit() -> None:
    entries = [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}]
    messages = read_entries(document(m=entries), "m", 2, read)
    assert messages == (Message("user", "1"), Message("assistant", "2"))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        (None, ""),
        ([], ""),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
        ([{"type": "input_text", "text": "a"}, {"type": "output_text", "text": "b"}], "a\nb"),
        ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "a"}], "a"),
        ([{"type": "new_kind", "text": "x"}, {"text": "x"}, 5, None, {"type": []}], ""),
        ([{"type": "text"}, {"type": "text", "text": 5}, {"type": "text", "text": "a"}], "a"),
    ],
)
def test_the_text_of_a_content(content: JsonValue, text: str) -> None:
    assert text_of(content) == text


@pytest.mark.parametrize("content", [5, True, {"type": "text", "text": "a"}])
def test_another_content_is_misshapen(content: JsonValue) -> None:
    with pytest.raises(Misshapen):
        text_of(content)
