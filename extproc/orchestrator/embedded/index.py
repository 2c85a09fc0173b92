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
from extproc.orchestrator.embedded.text import identifier_words

_WEIGHTS: Final = (0.5, 0.3, 0.2)
_PHRASE_END = re.compile(r"[.,;:!?]\s+|\band\b")
_MIN_PHRASE_WORDS: Final = 2


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
        self._lexical = Lexical(wholes)
        self._related = RelatedWords([texts[0] for texts in wholes], table)

    def rank(self, texts: Sequence[str], vectors: Vectors) -> Ranking:
        """Score texts, given their unit vectors: half centroid, half nearest single text."""
        nearest = np.maximum.reduceat(vectors @ self._texts.T, self._starts, axis=1)
        dense = (nearest + vectors @ self._centroids.T) / 2
        lexical = np.stack([self._lexical(text) for text in texts])
        related = np.stack([self._related(text) for text in texts])
        fused = _WEIGHTS[0] * dense + _WEIGHTS[1] * lexical + _WEIGHTS[2] * related
        return Ranking(fused, dense, lexical, related)


def _starts(texts: Sequence[Sequence[str]]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    sizes = [0, *(len(each) for each in texts[:-1])]
    return np.cumsum(np.array(sizes, np.intp))
