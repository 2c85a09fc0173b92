"""Agents ranked for a text: the dense and the lexical score, fused."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.embedded.bm25 import Scores
from extproc.orchestrator.embedded.counts import WordCounts, count_words
from extproc.orchestrator.embedded.dense import Nearest, TokenTable, Vectors, unit
from extproc.orchestrator.embedded.lexical import Lexical
from extproc.orchestrator.embedded.related import RelatedWords
from extproc.orchestrator.embedded.rows import Rows, WordRows
from extproc.orchestrator.embedded.text import STOP_WORDS, clip, identifier_words, spoken_words

_WEIGHTS: Final = (0.5, 0.3, 0.2)
_PHRASE_END = re.compile(r"[.,;:!?]\s+|\band\b")
_MIN_PHRASE_WORDS: Final = 2
_LEGIBLE: Final = 0.75
"""Share of known words from which a text is taken for English."""

_MATCHES: Final = 3


def agent_texts(agent: AgentInfo) -> list[str]:
    """Return what speaks for an agent as a whole: id and description, and each example."""
    return [f"{identifier_words(agent.id)}: {agent.description}", *agent.examples]


def agent_phrases(agent: AgentInfo) -> list[str]:
    """Return the parts of the description, each with the id: a long list of duties blurs."""
    phrases = [phrase.strip() for phrase in _PHRASE_END.split(agent.description)]
    kept = [phrase for phrase in phrases if len(phrase.split()) >= _MIN_PHRASE_WORDS]
    return [f"{identifier_words(agent.id)}: {phrase}" for phrase in kept] if len(kept) > 1 else []


@dataclass(frozen=True, slots=True)
class Reading:
    """What the words of texts add up to, a row for each text.

    `vectors` are by the table of tokens, `lexical` and `related` scores of the agents (columns).
    `legible`, a column, says how far texts and agents are in the table's language (0 to 1).
    """

    vectors: Vectors
    lexical: Scores
    related: Scores
    legible: Scores


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores of texts against agents: a row for each text, a column for each agent."""

    fused: Scores
    dense: Scores
    lexical: Scores
    related: Scores


class Index:
    """Fitted to agents. `vectors` gives the unit rows of any of their texts and phrases."""

    def __init__(
        self,
        agents: Sequence[AgentInfo],
        vectors: Callable[[Sequence[str]], Vectors],
        table: TokenTable,
    ) -> None:
        wholes = [agent_texts(agent) for agent in agents]
        phrases = [agent_phrases(agent) for agent in agents]
        centroids = unit(np.stack([vectors(texts).sum(axis=0) for texts in wholes]))
        singles = [vectors([*own, *parts]) for own, parts in zip(wholes, phrases, strict=True)]
        # Half centroid, half nearest single text.
        self.dense = Nearest(
            [(own + centroid) / 2 for own, centroid in zip(singles, centroids, strict=True)]
        )
        self.kinship: Scores = centroids @ centroids.T
        own = [spoken_words(clip(" ".join(texts))) for texts in wholes]
        known = [sum(word in table.vocabulary for word in words) for words in own]
        shares = _as_english(np.array(known), np.array(list(map(len, own))))
        self._own_legible = float(shares.mean())
        self._table = table
        self._lexical = Lexical(wholes)
        self._related = RelatedWords([texts[0] for texts in wholes], table)
        lexical, related = self._lexical.width, self._related.width
        ends = np.cumsum([0, table.dimensions, lexical, related, 2]).tolist()
        self._parts = [slice(start, end) for start, end in pairwise(ends)]
        self._rows = WordRows(ends[-1], self._fill)

    def read(self, texts: WordCounts) -> Reading:
        """Add up what the words of each text tell."""
        rows = self._rows(texts.words)
        sums = texts.counts @ rows
        table, lexical, related, legible = self._parts
        return Reading(
            unit(sums[:, table]),
            self._lexical.scores(sums[:, lexical], rows[:, lexical], texts.pairs),
            self._related.scores(sums[:, related]),
            self._own_legible * _as_english(sums[:, legible][:, :1], sums[:, legible][:, 1:]),
        )

    def rank(self, reading: Reading, vectors: Vectors) -> Ranking:
        """Score texts, given their unit vectors."""
        dense, lexical, related = self.dense(vectors), reading.lexical, reading.related
        by_dense, by_lexical, by_related = (weight * reading.legible for weight in _WEIGHTS)
        # What cannot be read as English is left to the words it shares with the agents.
        by_lexical += 1 - reading.legible
        fused = by_dense * dense
        fused += by_lexical * lexical
        fused += by_related * related
        return Ranking(fused, dense, lexical, related)

    def _fill(self, words: Sequence[str], rows: Rows) -> None:
        table, lexical, related, legible = self._parts
        vectors = self._table.words(words)
        rows[:, table] = vectors
        self._lexical.fill(words, rows[:, lexical])
        self._related.fill(words, vectors, rows[:, related])
        rows[:, legible] = [
            (word in self._table.vocabulary and word.isalnum(), word.isalnum()) for word in words
        ]

    def matches(self, text: str) -> list[list[str]]:
        """Return for each agent the words of a text that speak for it, the strongest first."""
        words = [word for word in count_words([text]).words if word not in STOP_WORDS]
        _, by_lexical, by_related = _WEIGHTS
        rows = self._rows(words)
        _, lexical, related, _ = (rows[:, part] for part in self._parts)
        strength = by_lexical * lexical[:, :-2] + by_related * related[:, :-1]
        best = np.argsort(-strength, axis=0, kind="stable")[:_MATCHES].T.tolist()
        return [
            [words[place] for place in places if strength[place, agent] > 0]
            for agent, places in enumerate(best)
        ]


def _as_english(known: Scores, words: Scores) -> Scores:
    """Return how far texts can be read, by how many of their words the vocabulary knows."""
    return np.minimum(known / np.maximum(words, 1) / _LEGIBLE, 1)
