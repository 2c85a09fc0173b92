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

_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
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


def words(text: str) -> list[str]:
    """Return the words and punctuation marks of a clipped text, lower case, without accents."""
    text = text.lower()
    if not text.isascii():
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    return [word[:MAX_WORD_CHARS] for word in _WORD.findall(text)]


def spoken_words(text: str) -> list[str]:
    """Return the words of a clipped text without its punctuation."""
    return [word for word in words(text) if word[0].isalnum()]


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


def content_words(text: str) -> int:
    """Return how many words of a text carry meaning of their own."""
    return sum(word not in STOP_WORDS for word in spoken_words(text))
