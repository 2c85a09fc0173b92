"""Agents ranked by single words: for each word of a text, the nearest word that an agent uses.

Word counts miss `plane` where a description says `flights`; the mean of a long text blurs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from extproc.orchestrator.embedded.background import off_topic_sentences
from extproc.orchestrator.embedded.bm25 import Scores
from extproc.orchestrator.embedded.dense import TINY, TokenTable, Vectors, lengths, unit
from extproc.orchestrator.embedded.lexical import word_weight
from extproc.orchestrator.embedded.rows import Rows
from extproc.orchestrator.embedded.text import STOP_WORDS, spoken_words

_UNRELATED: Final = 0.3
"""Cosine up to which two words have nothing to do with each other."""

_DOUBT: Final = 0.3
"""Added to the weight of a text: what little a few stop words say must not count in full."""


class RelatedWords:
    """Scores of texts against agents, 0 to 1, by how near their words are to the agents' own."""

    def __init__(self, documents: Sequence[str], table: TokenTable) -> None:
        common = [word for text in off_topic_sentences() for word in spoken_words(text)]
        self._centre = unit(table.words(common)).mean(axis=0)
        vocabularies = [_vocabulary(text) for text in documents]
        words = sorted({word for each in vocabularies for word in each})
        place = {word: index for index, word in enumerate(words)}
        vectors = unit(unit(table.words(words)) - self._centre)
        self._words = np.ascontiguousarray(vectors.T)
        self._uses = np.array([place[word] for each in vocabularies for word in each], np.intp)
        self._starts = np.cumsum([0, *map(len, vocabularies[:-1])])
        self.width = len(vocabularies) + 1

    def fill(self, words: Sequence[str], vectors: Vectors, rows: Rows) -> None:
        """Write what each word adds to the agents' scores, and its weight.

        `vectors` are the table's rows of the words.
        """
        sizes = lengths(vectors)
        centred = unit(vectors / np.maximum(sizes, TINY)[:, None] - self._centre)
        nearness = (centred @ self._words).take(self._uses, axis=1)
        scores = rows[:, :-1]
        np.maximum.reduceat(nearness, self._starts, axis=1, out=scores)
        scores -= _UNRELATED
        np.maximum(scores, 0, out=scores)
        rows[:, -1] = sizes * [word_weight(word) for word in words]
        scores *= rows[:, -1:] / (1 - _UNRELATED)

    def scores(self, sums: Rows) -> Scores:
        """Return texts' scores, given the sums of their words' rows: the mean, by weight."""
        return sums[:, :-1] / (sums[:, -1:] + np.float32(_DOUBT))


def _vocabulary(text: str) -> list[str]:
    spoken = spoken_words(text)
    return sorted({word for word in spoken if word not in STOP_WORDS}) or spoken or [""]
