from __future__ import annotations

import pytest

from extproc.config.model.root import Limits
from extproc.conversation import Api
from extproc.filters.api import FilterError
from extproc.filters.bodies import conversation_reader, read_events, read_object

BODY = b'{"messages": [{"role": "user", "content": "my secret"}]}'


def test_a_conversation_goes_on() -> None:
    read = conversation_reader(Api.CHAT, Limits())
    assert read(BODY).document.body is BODY


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"my secret", BODY[:-1]])
def test_what_is_no_conversation_does_not(body: bytes) -> None:
    with pytest.raises(FilterError) as failed:
        conversation_reader(Api.CHAT, Limits())(body)
    assert "secret" not in str(failed.value)


def test_nor_does_one_that_is_too_large() -> None:
    with pytest.raises(FilterError):
        conversation_reader(Api.CHAT, Limits(max_request_bytes=len(BODY) - 1))(BODY)


def test_a_whole_answer_is_an_object() -> None:
    assert read_object(b" {} ") == b" {} "
    for body in (b"", b"[]", b"{", b'"a"'):
        with pytest.raises(FilterError):
            read_object(body)


@pytest.mark.parametrize(
    ("body", "raws"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"data: a\n\n", [b"data: a\n\n"]),
        (b"data: a", [b"data: a\n\n"]),
        (b"data: a\r\n", [b"data: a\n\n"]),
        (b"event: e\r\ndata: a\r\n\r\n: c\n\n", [b"event: e\r\ndata: a\r\n\r\n", b": c\n\n"]),
        (b"data: a\r\r", [b"data: a\r\r"]),
        (b"id\nretry: 1\ndata\n\n", [b"id\nretry: 1\ndata\n\n"]),
    ],
)
def test_events_come_whole(body: bytes, raws: list[bytes]) -> None:
    assert [event.raw for event in read_events(body)] == raws


@pytest.mark.parametrize("body", [b"{}", b"hello", b"data: a\nwhat\n\n", b"database: x\n\n"])
def test_what_is_no_event_stream(body: bytes) -> None:
    with pytest.raises(FilterError):
        read_events(body)
