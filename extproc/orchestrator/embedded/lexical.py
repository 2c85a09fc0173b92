"""BM25 over agents: stems, pairs of stems and pieces of words."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from extproc.orchestrator.embedded.text import STOP_WORDS, clip, spoken_words, stem

Scores = NDArray[np.float32]

CACHED_WORDS: Final = 4096
"""Words whose scores are remembered: bounded, because clients choose the words."""

_K1, _B = 1.2, 0.75  # the usual BM25 constants
STOP_WEIGHT: Final = 0.1
"""What a stop word counts beside other words."""

_DOUBT: Final = 0.5
"""Half a word that no agent knows is taken into account: one stop word in common is no match."""

_PAIR_WEIGHT: Final = 0.5
_PIECE_WEIGHT: Final = 0.5
_PIECE_SIZES: Final = (3, 4, 5)


class Lexical:
    """Scores of texts against agents by the words they share, 0 to about 1."""

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        counts = [Counter(_features(texts)) for texts in documents]
        self._postings, self._unknown = _bm25(counts)
        self._agents = len(documents)
        self._word = functools.lru_cache(maxsize=CACHED_WORDS)(self._score_word)

    def __call__(self, text: str) -> Scores:
        """Return one score for each agent: the share of the text's weight that it explains."""
        tokens = spoken_words(clip(text))
        total, mass = np.zeros(self._agents, np.float32), 0.0
        for word in tokens:
            scores, weight = self._word(word)
            total += scores
            mass += weight
        for pair in _pairs(tokens):
            if pair in self._postings:
                agents, weights = self._postings[pair]
                total[agents] += _PAIR_WEIGHT * weights
        return total / (mass + _DOUBT * self._unknown)

    def words(self, text: str) -> dict[str, Scores]:
        """Return what each word of a text adds to the agents' scores, unweighted by its length."""
        return {word: self._word(word)[0] for word in spoken_words(clip(text))}

    def _score_word(self, word: str) -> tuple[Scores, float]:
        total, mass = np.zeros(self._agents, np.float32), 0.0
        stemmed = stem(word)
        pieces = list(_pieces(word))
        weight = STOP_WEIGHT if word in STOP_WORDS else 1.0
        parts = [(stemmed, weight)] + [(p, weight * _PIECE_WEIGHT / len(pieces)) for p in pieces]
        for feature, share in parts:
            found = self._postings.get(feature)
            if found is None:
                mass += share * self._unknown
            else:
                agents, weights = found
                total[agents] += share * weights
                mass += share * float(weights.max())
        return total, mass


def _features(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        tokens = spoken_words(text)
        for word in tokens:
            yield stem(word)
            yield from _pieces(word)
        yield from _pairs(tokens)


def _pairs(tokens: Sequence[str]) -> Iterator[str]:
    for first, second in pairwise(tokens):
        if first not in STOP_WORDS or second not in STOP_WORDS:
            yield f"{stem(first)} {stem(second)}"


def _pieces(word: str) -> Iterator[str]:
    edged = f"<{word}>"
    for size in _PIECE_SIZES:
        for start in range(len(edged) - size + 1):
            yield f"#{edged[start : start + size]}"


def _bm25(
    counts: Sequence[Counter[str]],
) -> tuple[dict[str, tuple[NDArray[np.intp], Scores]], float]:
    lengths = np.array([counter.total() for counter in counts], np.float32)
    norm = _K1 * (1 - _B + _B * lengths / max(float(lengths.mean()), 1.0)) if counts else lengths
    holders: dict[str, list[int]] = {}
    for agent, counter in enumerate(counts):
        for feature in counter:
            holders.setdefault(feature, []).append(agent)
    postings = {}
    for feature, agents in holders.items():
        index = np.array(agents, np.intp)
        tf = np.array([counts[agent][feature] for agent in agents], np.float32)
        idf = float(np.log1p((len(counts) - len(agents) + 0.5) / (len(agents) + 0.5)))
        postings[feature] = (index, (idf * tf * (_K1 + 1) / (tf + norm[index])).astype(np.float32))
    unknown = float(np.log1p((len(counts) + 0.5) / 0.5)) if counts else 1.0
    return postings, unknown
