"""Slips of the finger in the words that agents use: `fligth` is read as `flight`."""

from __future__ import annotations

import functools
import re
from collections.abc import Container, Iterable, Iterator
from itertools import filterfalse
from typing import Final

from extproc.orchestrator.embedded.text import MAX_WORD_CHARS, words_and_marks

_SHORTEST: Final = 5
"""Shorter words are too near to each other."""

_CACHED_WORDS: Final = 4096

_RUN = re.compile(rf"(?<![^\W_])[a-zA-Z]{{{_SHORTEST},{MAX_WORD_CHARS}}}(?![^\W_])")


class Spelling:
    """Corrects words that nobody knows and that are one slip away from a word of the agents'.

    One letter may be wrong, missing or too much, or two neighbours swapped.
    """

    def __init__(self, known: Container[str], words: Iterable[str]) -> None:
        self._known = known
        self._near: dict[str, str] = {}
        for word in sorted({word for word in words if len(word) >= _SHORTEST and word.isascii()}):
            for variant in _variants(word):
                self._near.setdefault(variant, word)
        self._corrected = functools.lru_cache(maxsize=_CACHED_WORDS)(self._correct)

    def __call__(self, text: str) -> str:
        """Return `text` with its slips corrected."""
        unknown = filterfalse(self._known.__contains__, words_and_marks(text)[0])
        if text.isascii() and all(self._corrected(word) == word for word in unknown):
            return text
        return _RUN.sub(lambda found: self._corrected(found[0]), text)

    def _correct(self, word: str) -> str:
        lowered = word.lower()
        if lowered in self._known:
            return word
        for variant in _variants(lowered):
            if variant in self._near:
                return self._near[variant]
        return word


def _variants(word: str) -> Iterator[str]:
    """Yield the word and what is left of it without each letter: two such meet after one slip."""
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]
