"""Agents ranked by single words: for each word of a text, the nearest word that an agent uses.

Word counts miss `plane` where a description says `flights`; the mean of a long text blurs it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

import numpy as np

from extproc.orchestrator.embedded.background import off_topic_sentences
from extproc.orchestrator.embedded.dense import TokenTable, Vectors, unit
from extproc.orchestrator.embedded.lexical import CACHED_WORDS, STOP_WEIGHT, Scores
from extproc.orchestrator.embedded.text import STOP_WORDS, clip, spoken_words

_UNRELATED: Final = 0.3
"""Cosine up to which two words have nothing to do with each other."""

_DOUBT: Final = 0.3
"""Added to the weight of a text: what little a few stop words say must not count in full."""


class RelatedWords:
    """Scores of texts against agents, 0 to 1, by how near their words are to the agents' own."""

    def __init__(self, documents: Sequence[str], table: TokenTable) -> None:
        self._table = table
        common = [word for text in off_topic_sentences() for word in spoken_words(text)]
        self._centre = unit(table.words(common)).mean(axis=0)
        vocabularies = [_vocabulary(text) for text in documents]
        words = sorted({word for each in vocabularies for word in each})
        place = {word: index for index, word in enumerate(words)}
        self._words = self._centred(table.words(words))
        self._uses = np.array([place[word] for each in vocabularies for word in each], np.intp)
        self._starts = np.cumsum([0, *map(len, vocabularies[:-1])])
        self._score_word = functools.lru_cache(maxsize=CACHED_WORDS)(self._of_word)

    def __call__(self, text: str) -> Scores:
        """Return one score for each agent: the mean over words, weighted by what they mean."""
        total, mass = np.zeros(len(self._starts), np.float32), 0.0
        for word in spoken_words(clip(text)):
            scores, weight = self._score_word(word)
            total += scores
            mass += weight
        return total / (mass + _DOUBT)

    def words(self, text: str) -> dict[str, Scores]:
        """Return what each word of a text adds to the agents' scores, unweighted by its length."""
        return {word: self._score_word(word)[0] for word in spoken_words(clip(text))}

    def _of_word(self, word: str) -> tuple[Scores, float]:
        raw = self._table.words([word])
        weight = float(np.linalg.norm(raw)) * (STOP_WEIGHT if word in STOP_WORDS else 1.0)
        nearness = (self._words @ self._centred(raw)[0])[self._uses]
        nearest = np.maximum.reduceat(nearness, self._starts)
        scores = np.maximum(nearest - _UNRELATED, 0) / (1 - _UNRELATED)
        return (weight * scores).astype(np.float32), weight

    def _centred(self, raw: Vectors) -> Vectors:
        return unit(unit(raw) - self._centre)


def _vocabulary(text: str) -> list[str]:
    spoken = spoken_words(text)
    return sorted({word for word in spoken if word not in STOP_WORDS}) or spoken or [""]
