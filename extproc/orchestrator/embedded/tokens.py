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
        # By how a piece begins: that of a number is never long.
        self._longest: dict[str, int] = {}
        for piece in vocabulary:
            own = piece.removeprefix(_CONTINUED)
            self._longest[own[:1]] = max(len(own), self._longest.get(own[:1], 0))
        self.vocabulary = vocabulary
        self.pieces = functools.lru_cache(maxsize=CACHED_WORDS)(self._pieces)

    def _pieces(self, word: str) -> tuple[int, ...]:
        ids: list[int] = []
        start, prefix = 0, ""
        while start < len(word):
            longest = self._longest.get(word[start], 0)
            for end in range(min(len(word), start + longest), start, -1):
                found = self.vocabulary.get(prefix + word[start:end])
                if found is not None:
                    break
            else:
                return ()
            ids.append(found)
            start, prefix = end, _CONTINUED
        return tuple(ids)
