from __future__ import annotations

import pytest

from extproc.apis.sse import EventSplitter
from extproc.filters.builtin.personal.detector import Detector
from extproc.filters.builtin.personal.held import (
    Held,
    Piece,
    read_json,
    with_data,
    without_logprobs,
)
from extproc.filters.builtin.personal.running import RunningText
from extproc.filters.builtin.personal.spans import Kind
from extproc.json_strings import strings


@pytest.mark.parametrize(
    ("raw", "data", "expected"),
    [
        (b"data: a\n\n", b"b", b"data: b\n\n"),
        (
            b"event: x\r\n: c\r\nid: 1\r\ndata:a\r\n\r\n",
            b"b",
            b"event: x\r\n: c\r\nid: 1\r\ndata:b\r\n\r\n",
        ),
        (b"\ndata: a\r:data\rdata: b\r\r", b"c\nd", b"\ndata: c\r:data\rdata: d\r\r"),
        (b"data: a\ndata: b\nid: 1\n\n", b"c", b"data: c\nid: 1\n\n"),
        (b"\xef\xbb\xbfdata: a\n\n", b"b", b"\xef\xbb\xbfdata: b\n\n"),
        (b"data\ndata: a\n\n", b"\nb", b"data:\ndata: b\n\n"),
        (b"database: a\ndata: a", b"b", b"database: a\ndata: b"),
    ],
)
def test_only_data_lines_change(raw: bytes, data: bytes, expected: bytes) -> None:
    assert with_data(raw, data) == expected


def test_an_event_s_own_data_change_nothing() -> None:
    raw = b"event: x\ndata: {\ndata:  1}\nid: 3\n\n"
    (event,) = EventSplitter(100).feed(raw)
    assert with_data(raw, event.data or b"") == raw


def test_waits_for_its_pieces_and_keeps_all_other_bytes() -> None:
    data = b'{"delta" : "mail\\u0020john@", "n": 1.50, "error": "c@d.com"}'
    (event,) = EventSplitter(100).feed(b"id: 7\ndata: " + data + b"\n\n")
    delta, error = strings(data)
    text = RunningText(Detector(Kind))
    piece = Piece(delta.place, delta.value, text, text.add(delta.value))
    held = Held(event, ((error.place, "[email]"),), (piece,))
    text.look()
    assert not held.decided
    text.add("example.com ")
    text.look()
    assert held.decided
    expected = b'{"delta" : "mail [email]", "n": 1.50, "error": "[email]"}'
    assert held.masked("[{type}]") == b"id: 7\ndata: " + expected + b"\n\n"


def test_an_event_without_a_match_stays_as_it_came() -> None:
    (event,) = EventSplitter(100).feed(b'data: {"delta": "\\u0061" }\n\n')
    assert Held(event).masked("*") == event.raw


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a": 1, "a": 2, "b": 2.5}', {"a": "2", "b": "2.5"}),
        (b'{"n": %s}' % (b"1" * 9999), {"n": "1" * 9999}),
        (b"[DONE]", None),
        (b"[1]", None),
        (b'"a"', None),
        (b'{"a": 1', None),
        (b'{"a": "\xff"}', None),
        (b"[" * 100_000, None),
    ],
)
def test_data_that_is_an_object(data: bytes, expected: object) -> None:
    assert read_json(data) == expected


def test_logprobs_say_nothing() -> None:
    body = b'{"t": "\\"logprobs\\": [1]", "logprobs": {"content": [{"bytes": [1]}]}, "n": 1}'
    assert without_logprobs(body) == b'{"t": "\\"logprobs\\": [1]", "logprobs": null, "n": 1}'
    assert without_logprobs(b'{"logprobs" : [{"a": "]"}]}') == b'{"logprobs" : []}'
    assert without_logprobs(b'{"logprobs": null}') == b'{"logprobs": null}'
