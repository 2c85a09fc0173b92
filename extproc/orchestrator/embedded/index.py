"""Agents ranked for a text: the dense and the lexical score, fused."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.embedded.dense import TokenTable, Vectors, unit
from extproc.orchestrator.embedded.lexical import Lexical, Scores
from extproc.orchestrator.embedded.related import RelatedWords
from extproc.orchestrator.embedded.text import STOP_WORDS, identifier_words

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
        all_texts = [[*texts, *agent_phrases(a)] for texts, a in zip(wholes, agents, strict=True)]
        self._texts = vectors([text for texts in all_texts for text in texts])
        self._starts = _starts(all_texts)
        rows = vectors([text for texts in wholes for text in texts])
        self._centroids = unit(np.add.reduceat(rows, _starts(wholes)))
        self.kinship: Scores = self._centroids @ self._centroids.T
        self._table = table
        self._own_legible = float(np.mean([_legible(table, " ".join(texts)) for texts in wholes]))
        self._lexical = Lexical(wholes)
        self._related = RelatedWords([texts[0] for texts in wholes], table)

    def rank(self, texts: Sequence[str], vectors: Vectors) -> Ranking:
        """Score texts, given their unit vectors: half centroid, half nearest single text."""
        nearest = np.maximum.reduceat(vectors @ self._texts.T, self._starts, axis=1)
        dense = (nearest + vectors @ self._centroids.T) / 2
        lexical = np.stack([self._lexical(text) for text in texts])
        related = np.stack([self._related(text) for text in texts])
        by_dense, by_lexical, by_related = _WEIGHTS
        near = by_dense * dense + by_related * related
        # What cannot be read as English is left to the words it shares with the agents.
        legible = np.array([[_legible(self._table, text)] for text in texts], np.float32)
        legible *= self._own_legible
        fused = legible * (near + by_lexical * lexical) + (1 - legible) * lexical
        return Ranking(fused, dense, lexical, related)

    def matches(self, text: str, agent: int) -> list[str]:
        """Return the words of a text that speak for an agent (its place), the strongest first."""
        _, by_lexical, by_related = _WEIGHTS
        related = self._related.words(text)
        strength = {
            word: by_lexical * float(scores[agent]) + by_related * float(related[word][agent])
            for word, scores in self._lexical.words(text).items()
        }
        found = [word for word, value in strength.items() if value > 0 and word not in STOP_WORDS]
        return sorted(found, key=strength.__getitem__, reverse=True)[:_MATCHES]


def _legible(table: TokenTable, text: str) -> float:
    return min(table.legible(text) / _LEGIBLE, 1.0)


def _starts(texts: Sequence[Sequence[str]]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    sizes = [0, *(len(each) for each in texts[:-1])]
    return np.cumsum(np.array(sizes, np.intp))
