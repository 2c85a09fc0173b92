"""Masks the events of a stream, and holds back those whose texts are not decided."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from extproc.apis.answers import DONE
from extproc.apis.sse import Event, EventSplitter
from extproc.apis.texts import is_text
from extproc.filters.api import FilterError
from extproc.filters.builtin.personal.channels import Channel, End, Key, channel_of, ends
from extproc.filters.builtin.personal.detector import Detector
from extproc.filters.builtin.personal.held import Held, Piece, read_json, with_data
from extproc.filters.builtin.personal.running import RunningText
from extproc.filters.builtin.personal.spans import Kind
from extproc.filters.builtin.personal.whole import mask_text
from extproc.json_strings import JsonString, strings

MOST_CHANNELS: Final = 256
MOST_HELD: Final = 4 * 2**20
"""Bytes of events that wait."""
PATIENCE: Final = 256
"""Characters of other texts of a choice, after which one that says nothing is at its end.

An answer must not wait for more of the reasoning before it.
"""


@dataclass(slots=True)
class _Open:
    """A text that may go on; `quiet` is what others of its group have said since."""

    running: RunningText
    quiet: int = 0


class Masker:
    """Masks one stream. `counts` is what was found so far.

    With `holds` an event goes on when it is decided what of it is masked; without, at once and as
    it came. Raises `FilterError` where more would have to be held or kept than is allowed: what it
    was fed then is the caller's, and what was held before comes with `close`, which does not fail
    then.
    """

    def __init__(self, detector: Detector, mask: str, *, holds: bool = True) -> None:
        self._detector = detector
        self._mask = mask
        self._holds = holds
        self._groups: dict[Key, dict[Key, _Open]] = {}
        self._held: deque[Held] = deque()
        self._bytes = 0
        self.counts: Counter[Kind] = Counter()

    def feed(self, body: bytes) -> bytes:
        """Take whole events; return those that may go on now."""
        splitter = EventSplitter(len(body))
        events = splitter.feed(body)
        if rest := splitter.close():
            events.append(rest)
        before = len(self._held)
        try:
            for event in events:
                self._take(event)
            self._check()
        except FilterError:
            self._give_up(before)
            raise
        return self._decided()

    def close(self) -> bytes:
        """Return what is held: the stream is at its end."""
        try:
            self._end(End())
        except FilterError:
            self._give_up(len(self._held))
            raise
        return self._decided()

    def _take(self, event: Event) -> None:
        data = None if event.data is None else read_json(event.data)
        held = self._plain(event) if data is None else self._read(event, data)
        self._held.append(held)
        self._bytes += len(event.raw)
        for end in ends(data or {}):
            self._end(end)

    def _plain(self, event: Event) -> Held:
        """Mask data that is no JSON object as one text; OpenAI's `[DONE]` ends all others."""
        if event.data is None:
            return Held(event)
        if event.data.strip() == DONE.body:
            self._end(End())
        masked, counts = mask_text(event.data, self._detector, self._mask)
        self.counts += counts
        if masked == event.data:
            return Held(event)
        return Held(Event(with_data(event.raw, masked), event.name, masked))

    def _read(self, event: Event, data: Mapping[str, Any]) -> Held:
        edits = []
        pieces = []
        touched: dict[Channel, _Open] = {}
        for each in strings(event.data or b""):
            if not is_text(each.path):
                continue
            if channel := channel_of(each.path, data):
                pieces.append(self._piece(channel, each, touched))
            else:
                value, counts = self._detector.mask(each.value, self._mask)
                self.counts += counts
                edits += [(each.place, value)] if counts else []
        for text in touched.values():
            self._look(text)
        return Held(event, tuple(edits), tuple(pieces))

    def _piece(self, channel: Channel, string: JsonString, touched: dict[Channel, _Open]) -> Piece:
        group = self._groups.setdefault(channel.group, {})
        text = group.get(channel.member)
        if text is None:
            if sum(map(len, self._groups.values())) >= MOST_CHANNELS:
                raise FilterError(f"more than {MOST_CHANNELS} texts at once in one stream")
            text = group[channel.member] = _Open(
                RunningText(self._detector, lenient=not self._holds)
            )
        touched[channel] = text
        for other in group.values() if string.value else ():
            other.quiet = 0 if other is text else other.quiet + len(string.value)
            if other.quiet > PATIENCE and other.running.decided < other.running.end:
                self._look(other, final=True)
        return Piece(string.place, string.value, text.running, text.running.add(string.value))

    def _look(self, text: _Open, *, final: bool = False) -> None:
        self.counts.update(span.kind for span in text.running.look(final=final))

    def _end(self, end: End) -> None:
        for group, texts in tuple(self._groups.items()):
            for member in tuple(texts):
                if end.of(Channel(group, member)):
                    self._look(texts[member], final=True)
                    # Some servers call every chunk of a choice its last one.
                    if group[0] != "choice" or end.group is None:
                        del texts[member]
            if not texts:
                del self._groups[group]

    def _decided(self) -> bytes:
        """Return the events that need not wait, with those before them."""
        out = []
        while self._held and (not self._holds or self._held[0].decided):
            held = self._held.popleft()
            self._bytes -= len(held.event.raw)
            masked = held.masked(self._mask)
            out.append(masked if self._holds else held.event.raw)
        return b"".join(out)

    def _check(self) -> None:
        """Raise `FilterError` where too much would have to wait."""
        if self._bytes > MOST_HELD and self._holds and not self._held[0].decided:
            raise FilterError(f"more than {MOST_HELD} bytes of events that have to wait")

    def _give_up(self, held: int) -> None:
        """Keep only the first `held` events, and let nothing fail any more."""
        while len(self._held) > held:
            self._held.pop()
        for group in self._groups.values():
            for text in group.values():
                text.running.lenient = True
