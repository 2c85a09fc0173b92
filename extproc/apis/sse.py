"""Server-sent events, split from a stream of bytes that may be cut anywhere.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import Final

_END: Final = re.compile(rb"[^\r\n](?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?=[^\n]))")
"""The end of a line that is not blank, and a blank line.

A CR that is the last byte so far may be half of a CRLF: it ends nothing until the next byte.
"""
_LINES: Final = re.compile(rb"[^\r\n]+")
_LONGEST_END: Final = len(b".\r\n\r\n")


class EventTooLarge(ValueError):
    """An event is longer than allowed; the text is safe to show and quotes no content."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its bytes as they came, and what they mean.

    `raw` goes from the end of the event before to the blank line that ends this one: it holds the
    blank lines before it, comments, `id` and `retry` too. `data` is None in a block without a data
    line (a comment that keeps the connection alive, say), which is no event to a browser.
    """

    raw: bytes = field(repr=False)
    name: str = "message"
    data: bytes | None = field(default=None, repr=False)


class EventSplitter:
    """Splits one stream into its events, in memory bounded by the limit and one chunk.

    However the stream is cut into chunks, the events are the same, and their `raw` put together
    is the stream. After `EventTooLarge` it must not be used any more.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._limit = max_event_bytes
        self._rest = bytearray()
        self._begun = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes; return the events that they complete.

        Raises:
            EventTooLarge: An event has more than `max_event_bytes` bytes, ended or not.
        """
        start = max(0, len(self._rest) - _LONGEST_END)
        self._rest += chunk
        # A list, as a bytearray that is being searched cannot be cut.
        ends = [match.end() for match in _END.finditer(self._rest, start)]
        events: list[Event] = []
        begin = 0
        for end in ends:
            self._check(end - begin)
            events.append(self._parse(bytes(self._rest[begin:end])))
            begin = end
        del self._rest[:begin]
        self._check(len(self._rest))
        return events

    def close(self) -> Event | None:
        """Return what is left at the stream's end, if anything.

        That is an event without its blank line. The standard ignores one, as it may be cut short;
        who can tell that it is whole may use it.
        """
        rest, self._rest = self._rest, bytearray()
        return self._parse(bytes(rest)) if rest else None

    def _check(self, length: int) -> None:
        if length > self._limit:
            raise EventTooLarge(f"an event has more than {self._limit} bytes")

    def _parse(self, raw: bytes) -> Event:
        text = raw if self._begun else raw.removeprefix(codecs.BOM_UTF8)
        self._begun = True
        name = b""
        data = bytearray()
        for line in _LINES.finditer(text):
            key, _, value = line[0].partition(b":")
            if key == b"data":
                data += value.removeprefix(b" ") + b"\n"
            elif key == b"event":
                name = value.removeprefix(b" ")
        return Event(
            raw=raw,
            name=name.decode(errors="replace") or "message",
            data=bytes(data[:-1]) if data else None,
        )
