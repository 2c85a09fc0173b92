"""WordPiece, as BERT splits text: greedy, longest piece first."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

CACHED_WORDS: Final = 16_384
"""Words whose pieces are remembered: bounded, because clients choose the words."""

_CONTINUED = "##"


class WordPiece:
    """The ids of a word's pieces; a word that cannot be spelled with them has none."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._longest = max(map(len, vocabulary), default=0)
        self.vocabulary = vocabulary
        self.pieces = functools.lru_cache(maxsize=CACHED_WORDS)(self._pieces)

    def _pieces(self, word: str) -> tuple[int, ...]:
        ids: list[int] = []
        start, prefix = 0, ""
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start, -1):
                found = self.vocabulary.get(prefix + word[start:end])
                if found is not None:
                    break
            else:
                return ()
            ids.append(found)
            start, prefix = end, _CONTINUED
        return tuple(ids)
