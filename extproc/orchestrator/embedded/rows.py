"""Rows of figures for words, each worked out once while it is remembered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
K = TypeVar("K", str, int)

CACHED_WORDS: Final = 4096
"""Words whose rows are remembered: bounded, because clients choose the words."""

_BATCH: Final = 64
"""Words whose rows are worked out at once: what that takes meanwhile is bounded too."""


class WordRows(Generic[K]):
    """Remembers `width` figures of each word, of `limit` words or those asked for at once.

    `fill` writes the figures of words into rows of zeros. When there is no room for more words all
    are forgotten: those that are common are soon known again. May be asked by many threads at once.
    """

    def __init__(
        self, width: int, fill: Callable[[Sequence[K], Rows], None], limit: int = CACHED_WORDS
    ) -> None:
        self._width = width
        self._fill: Callable[[Sequence[K], Rows], None] = fill
        self._limit = limit
        self._learning = threading.Lock()
        self._known: tuple[dict[K, int], Rows] = {}, np.zeros((0, width), np.float32)

    def __call__(self, words: Sequence[K]) -> Rows:
        """Return one row for each word."""
        places, rows = self._known
        try:
            wanted = [places[word] for word in words]
        except KeyError:
            places, rows = self._learn(words)
            wanted = [places[word] for word in words]
        return rows.take(np.array(wanted, np.intp), axis=0)

    def __len__(self) -> int:
        """Return how many words are remembered."""
        return len(self._known[0])

    def _learn(self, words: Sequence[K]) -> tuple[dict[K, int], Rows]:
        with self._learning:
            places, rows = self._known
            missing = [word for word in dict.fromkeys(words) if word not in places]
            if len(places) + len(missing) > len(rows):
                # Others may still read the old ones.
                places, missing = {}, list(dict.fromkeys(words))
                rows = np.zeros((max(self._limit, len(missing)), self._width), np.float32)
            for start in range(0, len(missing), _BATCH):
                some = missing[start : start + _BATCH]
                at = range(len(places), len(places) + len(some))
                self._fill(some, rows[at.start : at.stop])
                places.update(zip(some, at, strict=True))
            self._known = places, rows
            return self._known
