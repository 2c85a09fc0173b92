"""BM25 over agents: stems, pairs of stems and pieces of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from extproc.orchestrator.embedded.bm25 import Scores, bm25
from extproc.orchestrator.embedded.counts import Pairs
from extproc.orchestrator.embedded.pairs import PairScores
from extproc.orchestrator.embedded.rows import Rows
from extproc.orchestrator.embedded.text import STOP_WORDS, spoken_words, stem

_STOP_WEIGHT: Final = 0.1
"""What a stop word counts beside other words."""

_DOUBT: Final = 0.5
"""Half a word that no agent knows is taken into account: one stop word in common is no match."""

_PAIR_WEIGHT: Final = 0.5
_PIECE_WEIGHT: Final = 0.5
_PIECE_SIZES: Final = (3, 4, 5)
_PIECE: Final = "#"
"""Before a piece of a word, where it stands among stems."""


class Lexical:
    """Scores of texts against agents by the words they share, 0 to about 1."""

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        self._postings, self._unknown = bm25([Counter(_features(texts)) for texts in documents])
        pieces = [each for each in self._postings if each.startswith(_PIECE)]
        self._pieces = {each.removeprefix(_PIECE): self._postings.pop(each) for each in pieces}
        pairs = {}
        for feature in [each for each in self._postings if " " in each]:
            first, second = feature.split(" ")
            found = self._postings.pop(feature)
            pairs[first, second] = found._replace(weights=_PAIR_WEIGHT * found.weights)
        self._pairs = PairScores(pairs, len(documents))
        self.width = len(documents) + 2

    def fill(self, words: Sequence[str], rows: Rows) -> None:
        """Write what each word adds to the agents' scores, its weight, and its stem's number."""
        for row, word in zip(rows, words, strict=True):
            if word.isalnum():
                stemmed = stem(word)
                row[-2] = self._fill_word(word, stemmed, row)
                row[-1] = self._pairs.number(stemmed)

    def scores(self, sums: Rows, rows: Rows, pairs: Pairs) -> Scores:
        """Return texts' scores: the share of a text's weight that each agent explains.

        `rows` are those of their words, and `sums` what these add up to for each text.
        """
        total = sums[:, :-2]
        self._pairs.add(total, pairs, rows[:, -1].astype(np.intp))
        return total / (sums[:, -2:-1] + np.float32(_DOUBT * self._unknown))

    def _fill_word(self, word: str, stemmed: str, row: Scores) -> float:
        """Add what a word tells of the agents to `row`; return how much it could tell."""
        pieces = _pieces(word)
        weight = word_weight(word)
        share = weight * _PIECE_WEIGHT / len(pieces)
        known = [(self._postings[stemmed], weight)] if stemmed in self._postings else []
        known += [(self._pieces[each], share) for each in pieces if each in self._pieces]
        mass = weight * (1 + _PIECE_WEIGHT) * self._unknown
        for posting, counts in known:
            row[posting.agents] += counts * posting.weights
            mass += counts * (posting.most - self._unknown)
        return mass


def word_weight(word: str) -> float:
    """Return what a word counts beside other words: a punctuation mark is none."""
    if not word.isalnum():
        return 0.0
    return _STOP_WEIGHT if word in STOP_WORDS else 1.0


def _features(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        tokens = spoken_words(text)
        for word in tokens:
            yield stem(word)
            yield from (f"{_PIECE}{piece}" for piece in _pieces(word))
        yield from _pairs(tokens)


def _pairs(tokens: Sequence[str]) -> Iterator[str]:
    for first, second in pairwise(tokens):
        if first not in STOP_WORDS or second not in STOP_WORDS:
            yield f"{stem(first)} {stem(second)}"


def _pieces(word: str) -> list[str]:
    edged = f"<{word}>"
    return [
        edged[start : start + size]
        for size in _PIECE_SIZES
        for start in range(len(edged) - size + 1)
    ]
