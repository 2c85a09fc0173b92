from __future__ import annotations

import pytest

from extproc.apis.answers import (
    DONE,
    UnreadableAnswer,
    members,
    read_object,
    stream,
    text_of,
    whole,
)
from extproc.json_scan import JsonValue


@pytest.mark.parametrize("body", [b'{"a":1}', b'\xef\xbb\xbf \r\n\t{"a":1}\n'])
def test_a_brace_begins_an_object(body: bytes) -> None:
    answer = whole(body)
    assert answer is not None
    assert answer.get("a") == 1


@pytest.mark.parametrize(
    "body", [b"", b"data: {}\n\n", b"\xef\xbb\xbf: hi\n\n", b"[{}]", b"<html>"]
)
def test_anything_else_is_a_stream(body: bytes) -> None:
    assert whole(body) is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"secret', "not valid JSON: unterminated string starting at byte 1"),
        (b'{"a":1}\n{"a":2}', "not valid JSON: data after the end of the object at byte 8"),
        (b'{"a":"\xff"}', "not valid JSON: not UTF-8 at byte 6"),
        (b'{"a":' + b"[" * 10_000, "not valid JSON: nested deeper than 500 levels"),
        (b'{"error":{"message":"secret"}}', "the answer is an error"),
        (b'{"error":"secret"}', "the answer is an error"),
        (b'{"type":"error"}', "the answer is an error"),
        (b'{"object":"error"}', "the answer is an error"),
    ],
)
def test_an_object_must_be_valid_and_no_error(body: bytes, message: str) -> None:
    with pytest.raises(UnreadableAnswer, match=f"^{message}$"):
        read_object(body)


def test_no_error_is_no_error() -> None:
    assert read_object(b'{"error":null,"type":["error"]}').get("error") is None


def test_a_stream_gives_the_data_of_its_events() -> None:
    body = (
        b"\xef\xbb\xbf: hello\n\n"
        b'event: a\r\ndata: {"a":\r\ndata:1}\r\n\r\n'
        b'id: 7\rdata: {"b":2}\r\r'
        b"data:\n\nevent: ping\n\n\n\n"
        b'data: {"c":3}\n'  # and no blank line
    )
    assert [event.body for event in stream(body)] == [b'{"a":\n1}', b'{"b":2}', b'{"c":3}']


def test_a_stream_ends_with_done() -> None:
    events = list(stream(b'data: {"a":1}\n\ndata: [DONE] \n\ndata: garbage\n\n'))
    assert events[0].get("a") == 1
    assert events[1] is DONE
    assert len(events) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"event: error\ndata: secret\n\n",
        b'data: {"error":{"message":"secret"}}\n\n',
        b"data: secret\n\n",
        b'data: {"a":1}\n\ndata: {"a":',
        b"data: []\n\n",
        b'data: "\xff"\n\n',
    ],
)
def test_a_stream_with_an_unreadable_event_is_none(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer) as raised:
        list(stream(body))
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_blank_lines_are_no_events() -> None:
    assert list(stream(b"\n" * 2**20)) == []


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("plain", "plain"),
        ([], ""),
        ([{"type": "text", "text": "a "}, {"type": "text", "text": "b"}], "a b"),
        ([{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "no"}], "ano"),
        ([{"type": "thinking", "thinking": "hm", "text": "hm"}, {"type": "tool_use"}], ""),
        ([{"type": "text", "text": None}, {"type": "text"}, {"text": "x"}, {"type": []}], ""),
    ],
)
def test_the_text_of_a_content(content: JsonValue, text: str) -> None:
    assert text_of(content) == text


@pytest.mark.parametrize("content", [5, True, {"text": "a"}, ["a"], [{"type": "text", "text": 5}]])
def test_another_content_is_unreadable(content: JsonValue) -> None:
    with pytest.raises(UnreadableAnswer):
        text_of(content)


@pytest.mark.parametrize("value", [None, [], "a", 1])
def test_only_an_object_has_members(value: JsonValue) -> None:
    with pytest.raises(UnreadableAnswer):
        members(value)
