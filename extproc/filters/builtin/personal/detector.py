"""Finds all kinds of personal data in a text, also in one of which only a part has come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from extproc.filters.builtin.escapes import blank_escapes
from extproc.filters.builtin.personal.cards import card_finder
from extproc.filters.builtin.personal.emails import LOCAL, LONGEST_LOCAL, find_emails
from extproc.filters.builtin.personal.ibans import iban_finder
from extproc.filters.builtin.personal.keys import find_keys
from extproc.filters.builtin.personal.phones import phone_finder
from extproc.filters.builtin.personal.spans import Finder, Kind, Span, View, united

CONTEXT: Final = 128
"""Characters before a place that decide what may start there; the longest local part needs 65."""

_WORD: Final = f'{LOCAL}"\\'
"""Of what an address, a key's prefix, the first digits of a number and an escape consist."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is in a text: the spans in order, none overlapping; whatever comes next, they stay.

    Before `settled` nothing else is in the text, and no span ends after it.
    """

    spans: tuple[Span, ...]
    settled: int


class Detector:
    """Finds some kinds. Raises `PluginError` where a library is missing."""

    def __init__(self, kinds: Iterable[Kind], regions: Sequence[str] = ()) -> None:
        self._finders = tuple(_finder(kind, regions) for kind in Kind if kind in set(kinds))

    def find(self, text: str, begin: int = 0, *, final: bool = True) -> Found:
        """Find what starts in a text after `begin`; unless `final`, more of it comes later."""
        view = View(blank_escapes(text), begin, final)
        spans = [span for finder in self._finders for span in finder(view)]
        if final:
            return Found(tuple(united(spans)), len(text))
        settled = min([_last_word(text), *(span.start for span in spans if span.open)])
        decided = united(span for span in spans if not span.open)
        for span in reversed(decided):
            if span.end > settled:
                settled = min(settled, span.start - span.name)
        settled = max(settled, begin)
        return Found(tuple(span for span in decided if span.end <= settled), settled)

    def mask(self, text: str, mask: str) -> tuple[str, Counter[Kind]]:
        """Return a whole text with masks, and what they hide."""
        spans = self.find(text).spans
        return "".join(masked(text, 0, spans, mask)), Counter(span.kind for span in spans)


def masked(text: str, offset: int, spans: Iterable[Span], mask: str) -> Iterator[str]:
    """Yield what is left of a part of a text, which starts at `offset` of the whole.

    A span has its mask where it starts, so that the parts together are the masked whole.
    """
    at = 0
    for span in spans:
        start, end = span.start - offset, span.end - offset
        if start >= len(text):
            break
        if start >= 0:
            yield text[at:start]
            yield mask.replace("{type}", span.kind)
        at = max(at, end)
    yield text[at:]


def _finder(kind: Kind, regions: Sequence[str]) -> Finder:
    match kind:
        case Kind.EMAIL:
            return find_emails
        case Kind.PHONE:
            return phone_finder(regions)
        case Kind.CARD:
            return card_finder()
        case Kind.IBAN:
            return iban_finder()
        case Kind.KEY:
            return find_keys


def _last_word(text: str) -> int:
    """Return where the word starts of which more may come."""
    tail = text[-LONGEST_LOCAL:]
    return len(text) - len(tail) + len(tail.rstrip(_WORD))
