from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.apis.sse import Event, EventSplitter, EventTooLarge

PIECES = st.sampled_from(
    [
        *(
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b"\r\r",
            b"\r\n\r\n",
            b":",
            b": hi",
            b" ",
            b"\xef\xbb\xbf",
        ),
        *(b"data", b"data: x", b"data:", b"event: e", b"id: 1", b"\xff", b"\x00", b"\xe2\x80\xa8"),
    ]
)
STREAMS = st.lists(PIECES, max_size=20).map(b"".join) | st.binary(max_size=30)


def split(*chunks: bytes, limit: int = 1000) -> list[Event]:
    splitter = EventSplitter(limit)
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    rest = splitter.close()
    return events if rest is None else [*events, rest]


def meaning(stream: bytes) -> list[tuple[str, bytes]]:
    """The standard's algorithm, line by line; an event without its blank line counts as well."""
    lines = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found, name, data = [], b"", b""
    for line in [*lines.split(b"\n"), b""]:
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if field == b"event":
            name = value
        elif field == b"data":
            data += value + b"\n"
        elif not line:
            if data:
                found.append((name.decode(errors="replace") or "message", data[:-1]))
            name, data = b"", b""
    return found


@given(STREAMS)
def test_the_meaning_is_the_standard_s(stream: bytes) -> None:
    events = split(stream)
    assert [(event.name, event.data) for event in events if event.data is not None] == meaning(
        stream
    )


@given(STREAMS, st.data())
def test_chunks_do_not_matter_and_no_byte_is_lost(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    edges = [0, *cuts, len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(edges)]
    events = split(*chunks)
    assert events == split(stream) == split(*(bytes([byte]) for byte in stream))
    assert b"".join(event.raw for event in events) == stream


@given(STREAMS, st.integers(0, 12), st.data())
def test_the_limit_is_for_each_event(stream: bytes, limit: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(stream)))
    if max((len(event.raw) for event in split(stream)), default=0) <= limit:
        assert split(stream[:cut], stream[cut:], limit=limit) == split(stream)
        return
    with pytest.raises(EventTooLarge, match=f"^an event has more than {limit} bytes$"):
        split(stream[:cut], stream[cut:], limit=limit)


def test_an_event_is_there_as_soon_as_its_blank_line() -> None:
    splitter = EventSplitter(100)
    assert splitter.feed(b"event: a\r\nda") == []
    assert splitter.feed(b"ta: 1\r\ndata:2\r\n\r") == []
    assert splitter.feed(b"\n: wait\n\ndata") == [
        Event(b"event: a\r\ndata: 1\r\ndata:2\r\n\r\n", "a", b"1\n2"),
        Event(b": wait\n\n", "message", None),
    ]
    assert splitter.close() == Event(b"data", "message", b"")
    assert splitter.close() is None


def test_a_long_event_in_small_chunks_is_searched_once() -> None:
    splitter = EventSplitter(2**24)
    for _ in range(2**13):
        assert splitter.feed(b"data: " + b"." * 2**10 + b"\n") == []
    (event,) = splitter.feed(b"\n")
    assert event.data is not None
    assert len(event.data) == 2**13 * (2**10 + 1) - 1


def test_an_event_does_not_show_its_content() -> None:
    assert "secret" not in repr(split(b"data: secret\n\n"))
