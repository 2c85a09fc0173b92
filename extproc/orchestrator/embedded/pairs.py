"""What pairs of words tell of agents: `credit card` is more than `credit` and `card`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import numpy as np

from extproc.orchestrator.embedded.bm25 import Posting, Scores
from extproc.orchestrator.embedded.counts import Pairs, Places, tally
from extproc.orchestrator.embedded.rows import Rows, WordRows

CACHED_PAIRS: Final = 1024
"""Pairs whose scores are remembered: of those that agents use, a turn has few."""

T = TypeVar("T", int, Places)


class PairScores:
    """Finds the pairs of stems that agents use among the words of texts.

    Stems have numbers, so that all pairs of a turn are looked up at once.
    """

    def __init__(self, postings: Mapping[tuple[str, str], Posting], agents: int) -> None:
        pairs = sorted(postings)
        stems = sorted({stem for pair in pairs for stem in pair})
        self._numbers = {stem: number for number, stem in enumerate(stems, 1)}
        self._postings = [postings[pair] for pair in pairs]
        keys = [self._key(self._numbers[first], self._numbers[second]) for first, second in pairs]
        # In order, as the pairs are; beyond the last one stands what no pair has.
        self._keys = np.array([*keys, self._key(len(stems) + 1, 0)], np.intp)
        self._rows = WordRows(agents, self._fill, CACHED_PAIRS)

    def number(self, stem: str) -> int:
        """Return the number of a stem: 0 for what stands in no pair."""
        return self._numbers.get(stem, 0)

    def add(self, total: Scores, pairs: Pairs, numbers: Places) -> None:
        """Add to the scores of texts what their pairs tell.

        `numbers` are those of the stems of the words, by column.
        """
        said = numbers[pairs.columns]
        keys = self._key(said[:-1], said[1:])
        places = self._keys.searchsorted(keys)
        (known,) = ((self._keys[places] == keys) & pairs.count).nonzero()
        if len(known):
            shape = len(total), len(known)
            found = tally(pairs.rows[known], np.arange(len(known)), shape)
            total += found @ self._rows(places[known].tolist())

    def _key(self, first: T, second: T) -> T:
        return first * (len(self._numbers) + 1) + second

    def _fill(self, places: Sequence[int], rows: Rows) -> None:
        for row, place in zip(rows, places, strict=True):
            agents, weights, _ = self._postings[place]
            row[agents] = weights
