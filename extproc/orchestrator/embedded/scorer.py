"""Agents ranked for a text: the dense and the lexical score, fused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.embedded.dense import Vectors
from extproc.orchestrator.embedded.lexical import Lexical, Scores
from extproc.orchestrator.embedded.text import identifier_words

_DENSE_WEIGHT: Final = 0.7


def agent_texts(agent: AgentInfo) -> tuple[str, ...]:
    """Return what speaks for an agent: its id's words with its description, and its examples."""
    return (f"{identifier_words(agent.id)}: {agent.description}", *agent.examples)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores of one text, an agent a place, in the order of the scorer's agents."""

    fused: Scores
    dense: Scores
    lexical: Scores


class Scorer:
    """Fitted to agents and the vectors of their texts; scores texts by their vectors and words.

    `vectors` has a row for each of the agents' texts, in the order of `agent_texts`.
    """

    def __init__(self, agents: Sequence[AgentInfo], vectors: Vectors) -> None:
        texts = [agent_texts(agent) for agent in agents]
        sizes = np.array([len(each) for each in texts], np.intp)
        self._starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.intp)
        self._texts = vectors
        centroids = np.add.reduceat(vectors, self._starts) if texts else vectors
        norms = np.linalg.norm(centroids, axis=1, keepdims=True)
        self._centroids = centroids / np.maximum(norms, np.finfo(np.float32).tiny)
        self._lexical = Lexical(texts)

    def rank(self, texts: Sequence[str], vectors: Vectors) -> list[Ranking]:
        """Return the scores of each text, given its unit vector."""
        nearest = np.maximum.reduceat(vectors @ self._texts.T, self._starts, axis=1)
        dense = (nearest + vectors @ self._centroids.T) / 2
        rankings = []
        for text, row in zip(texts, dense, strict=True):
            lexical = self._lexical(text)
            fused = _DENSE_WEIGHT * row + (1 - _DENSE_WEIGHT) * lexical
            rankings.append(Ranking(fused=fused, dense=row, lexical=lexical))
        return rankings
