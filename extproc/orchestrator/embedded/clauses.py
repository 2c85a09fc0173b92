"""A turn that asks for several things, taken apart in the order they are to be done."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_ENDS: Final = 6
"""Of a text in many clauses only this many at either end are looked at: it is a document."""

_MAX_PARTS: Final = 6
_MIN_WORDS: Final = 2
"""Either side of `and` or a comma needs this many words: `and a taxi` may be a task."""

_JOINER: Final = (  # joins tasks wherever it stands
    r"(?:then|after (?:that|which)|afterwards?|in addition|additionally|besides(?: that)?|"
    r"as well as|on top of that|(?:when|once) that(?:'s| is) done)\b"
)
_ADVERB: Final = (
    r"(?:also|plus|finally|lastly|second(?:ly)?|third(?:ly)?|"
    r"next(?! (?:to|one|time|day|week|weekend|month|year|\w+day)\b))\b"
)
"""Sets a task apart where one begins; elsewhere it belongs to a word: `to also get`."""

_MARKER: Final = rf"(?:and |but )?(?:{_JOINER}|{_ADVERB})"
_EARLIER: Final = r"(?:and |but )?(?:before (?:that|this)|beforehand|but first)\b"
# Each begins with the few characters that it can begin with: `re` passes over all others fast.
_ENDED = re.compile(r"[.!?;\n](?:(?<![.!?;\n]{2})[.!?;\n]*[\"')]*(?:\s|$)|(?<=\n))")
_APART = re.compile(
    rf" (?=[abiotw])(?=(?:and |but )?{_JOINER}|(?:and|but) {_ADVERB}|{_EARLIER})"
    rf"| (?<=, )(?={_ADVERB})",
    re.IGNORECASE,
)
"""The blank before a word that sets tasks apart."""

_APART_WORDS: Final = (
    *("then", "after that", "after which", "afterward", "addition", "besides", "as well as"),
    *("on top of", "done", "also", "plus", "finally", "lastly", "second", "third", "next"),
    *("before that", "before this", "beforehand", "but first"),
)
"""One of these is in all that it finds, as far as that is ASCII."""

_WEAK = re.compile(r" (?:, (?:and |but )?|(?:and|but|&) )|, (?:and |but )?", re.IGNORECASE)
_LEADING = re.compile(
    rf"(?:{_MARKER}|first(?:ly| of all)?\b|and\b|but\b|so\b|(?:two|three) things ?:|[,: ])+",
    re.IGNORECASE,
)
_EARLIER_START = re.compile(rf"{_EARLIER}[ ,:]*", re.IGNORECASE)
_BEFORE_START = re.compile(r"before (?!that\b|this\b)", re.IGNORECASE)
_UNEVEN = re.compile(r"\s(?:\s+|(?<![ \n]))")
"""Blanks that are more than one, or another than a space or a newline."""


class Clause(NamedTuple):
    """A clause, and what it may fall into at `and` and commas.

    It is `marked` where a word such as `then` or `also` sets it apart from its neighbour, as
    tasks of their own.
    """

    text: str
    parts: tuple[str, ...]
    marked: bool


def split(text: str) -> list[Clause]:
    """Return the clauses of `text` in the order of their tasks: `before that` puts one first."""
    # Single blanks keep the expressions linear on hostile text.
    even = text.isprintable() and "  " not in text
    text = text if even else _UNEVEN.sub(lambda found: "\n" if "\n" in found[0] else " ", text)
    pieces = _ENDED.split(text)
    if _may_fall_apart(text):
        pieces = [piece for sentence in pieces for piece in _pieces(sentence)]
    if len(pieces) > 2 * _ENDS:
        pieces = pieces[:_ENDS] + pieces[-_ENDS:]
    # Documents repeat themselves.
    read = {piece: _clause(piece) for piece in dict.fromkeys(pieces)}
    clauses: list[Clause] = []
    for clause, earlier in map(read.__getitem__, pieces):
        if clause.text:
            if clause.marked and clauses:
                clauses[-1] = clauses[-1]._replace(marked=True)
            place = len(clauses) - 1 if earlier and clauses else len(clauses)
            clauses.insert(place, clause)
    return clauses


def _clause(piece: str) -> tuple[Clause, bool]:
    """Return the clause that a piece of a sentence is, and whether it is to be done earlier."""
    earlier = _EARLIER_START.match(piece)
    rest = piece[earlier.end() :] if earlier else piece
    leading = _LEADING.match(rest)
    clause = rest[leading.end() :].strip() if leading else rest.strip()
    marked = earlier is not None or leading is not None
    return Clause(clause, _parts(clause), marked), earlier is not None


def _may_fall_apart(text: str) -> bool:
    """Return False where `_APART` would find nothing: most often, and much sooner."""
    if not text.isascii():
        return True
    text = text.lower()
    return any(word in text for word in _APART_WORDS)


def _pieces(sentence: str) -> list[str]:
    if not _may_fall_apart(sentence):
        return [sentence]
    *others, last = _APART.split(sentence)
    return [*(each.removesuffix(",") for each in others), last]


def _parts(clause: str) -> tuple[str, ...]:
    parts: list[str] = []
    start = 0
    for found in _WEAK.finditer(clause):
        if len(parts) == _MAX_PARTS - 1:
            break
        left, right = clause[start : found.start()], clause[found.end() :]
        if _has_words(left) and _has_words(right):
            parts.append(left)
            start = found.end()
    parts.append(clause[start:])
    if len(parts) > 1 and _BEFORE_START.match(parts[0]):
        parts.append(parts.pop(0))
    return tuple(parts)


def _has_words(text: str) -> bool:
    return len(text.split(maxsplit=_MIN_WORDS - 1)) >= _MIN_WORDS
