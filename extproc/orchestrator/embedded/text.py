"""Text as both scorers see it: clipped, lower case, without accents, in words."""

from __future__ import annotations

import functools
import re
import unicodedata
from pathlib import Path
from typing import Final

HEAD_CHARS: Final = 2000
TAIL_CHARS: Final = 1000
"""A long text keeps this much of both ends: a task stands before or after what is pasted."""

MAX_WORD_CHARS: Final = 64
"""Longer runs are no words (keys, base64): cutting them bounds the work that one can cause."""

DATA: Final = Path(__file__).parent / "data"

_WORD = re.compile(r"[^\W_]+")
_MARK = re.compile(r"[^\w\s]|_")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_SPACED: Final = bytes(
    ord(char.lower()) if char.isalnum() else ord(" ") for char in map(chr, range(128))
).ljust(256)
"""The same for ASCII: what becomes of each byte where everything but words is a blank."""

_NO_MARKS: Final = bytes(code for code in range(128) if re.match(r"[^\W_]|\s", chr(code)))
"""The bytes that are no punctuation."""

_INFLECTIONS: Final = (("ies", "y"), ("ied", "y"), ("sses", "ss"), ("ings", ""), ("ing", ""),
                       ("ed", ""), ("es", "e"), ("ss", "ss"), ("us", "us"), ("s", ""))  # fmt: skip
_DERIVATIONS: Final = ("ization", "ation", "ition", "ment", "ness", "ance", "ence", "able", "ible",
                       "ity", "ize", "ise", "ate", "ive", "ion", "er", "or", "ly",
                       "al")  # fmt: skip
_MIN_STEM: Final = 3

STOP_WORDS: Final = frozenset((DATA / "stop_words.txt").read_text("utf-8").split())


def clip(text: str) -> str:
    """Return `text`, or both ends of it where it is long: at most 3,001 characters."""
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def words_and_marks(text: str) -> tuple[list[str], str]:
    """Return the words of a clipped text in their order, and its punctuation marks.

    Both are in lower case and without accents. Words may be longer than `MAX_WORD_CHARS`.
    """
    if text.isascii():
        # Several times as fast as the expressions.
        raw = text.encode()
        return raw.translate(_SPACED).decode().split(), raw.translate(None, _NO_MARKS).decode()
    text = _without_accents(text.lower())
    return _WORD.findall(text), "".join(_MARK.findall(text))


def spoken_words(text: str) -> list[str]:
    """Return the words of a clipped text without its punctuation."""
    return cut(words_and_marks(text)[0])


def cut(words: list[str]) -> list[str]:
    """Return words at a length that they may have."""
    if max(map(len, words), default=0) <= MAX_WORD_CHARS:
        return words
    return [word[:MAX_WORD_CHARS] for word in words]


def _without_accents(text: str) -> str:
    text = unicodedata.normalize("NFD", text)
    for char in set(_BEYOND_ASCII.findall(text)):
        if unicodedata.category(char) == "Mn":
            text = text.replace(char, "")
    return text


@functools.lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Return an English word without its commonest endings; other words come back nearly whole."""
    for suffix, instead in _INFLECTIONS:
        if word.endswith(suffix) and len(word) - len(suffix) >= _MIN_STEM:
            word = word[: len(word) - len(suffix)] + instead
            break
    for suffix in _DERIVATIONS:
        if word.endswith(suffix) and len(word) - len(suffix) > _MIN_STEM:
            word = word[: len(word) - len(suffix)]
            break
    if len(word) > _MIN_STEM:
        word = word.rstrip("e")
    return word[:-1] if len(word) > _MIN_STEM and word[-1] == word[-2] else word


def identifier_words(identifier: str) -> str:
    """Return the words of an agent's id: `flight_agent` says `flight`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-_]+", " ", identifier).lower()
    kept = [word for word in spaced.split() if word not in {"agent", "assistant", "bot", "service"}]
    return " ".join(kept) or spaced
