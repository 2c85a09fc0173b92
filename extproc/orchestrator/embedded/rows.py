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
    """Remembers `width` figures of each word, of `limit` words at most.

    `fill` writes the figures of words into rows of zeros. When half of the limit is taken by words
    asked for since then, those that were not asked for meanwhile are forgotten. More words at once
    than that half are worked out each time. May be asked by many threads at once.
    """

    def __init__(
        self, width: int, fill: Callable[[Sequence[K], Rows], None], limit: int = CACHED_WORDS
    ) -> None:
        self._width = width
        self._fill: Callable[[Sequence[K], Rows], None] = fill
        self._half = limit // 2
        self._rows = np.zeros((2 * self._half, width), np.float32)
        self._start = 0
        self._recent: dict[K, int] = {}
        self._former: dict[K, int] = {}
        self._asking = threading.Lock()

    def __call__(self, words: Sequence[K]) -> Rows:
        """Return one row for each word."""
        with self._asking:
            try:
                places = [self._recent[word] for word in words]
            except KeyError:
                distinct = list(dict.fromkeys(words))
                if len(distinct) > self._half:
                    return self._work_out(words, np.empty((len(words), self._width), np.float32))
                self._remember(distinct)
                places = [self._recent[word] for word in words]
            return self._rows.take(np.array(places, np.intp), axis=0)

    def __len__(self) -> int:
        """Return how many words are remembered."""
        return len(self._recent.keys() | self._former.keys())

    def _remember(self, words: Sequence[K]) -> None:
        missing = [word for word in words if word not in self._recent]
        if len(self._recent) + len(missing) > self._half:
            self._recent, self._former = {}, self._recent
            self._start = self._half - self._start
            missing = list(words)
        known = [word for word in missing if word in self._former]
        new = [word for word in missing if word not in self._former] if known else missing
        start = self._start + len(self._recent)
        middle, end = start + len(known), start + len(missing)
        if known:
            self._rows[start:middle] = self._rows[[self._former[word] for word in known]]
        self._work_out(new, self._rows[middle:end])
        self._recent.update(zip(known + new, range(start, end), strict=True))

    def _work_out(self, words: Sequence[K], rows: Rows) -> Rows:
        rows[:] = 0
        for start in range(0, len(words), _BATCH):
            self._fill(words[start : start + _BATCH], rows[start : start + _BATCH])
        return rows
