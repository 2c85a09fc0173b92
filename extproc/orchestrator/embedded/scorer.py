"""Scores on the catalogue's own scale: 0 is what idle talk gets, 1 what a good request gets.

Fused scores mean different things in different catalogues: many agents, long descriptions and
examples all raise them. So two marks are measured when it is fitted: the best score of sentences
that are nobody's task, and the best score of the agents' own examples, each left out in turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.embedded.background import (
    CLOSING,
    CONTINUATION,
    load_background,
    off_topic_sentences,
)
from extproc.orchestrator.embedded.counts import WordCounts, count_words
from extproc.orchestrator.embedded.dense import Nearest, TokenTable, Vectorizer, Vectors, unit
from extproc.orchestrator.embedded.index import Index, Ranking, agent_phrases, agent_texts

_COVERED: Final = 0.4
"""Cosine from which an idle sentence counts as one that an agent is about."""

_FOLDS: Final = 4
_ENOUGH: Final = 60
"""So many examples left out tell enough: large catalogues are not fitted four times over."""

_BATCH: Final = 64
"""Texts that are ranked at once: a catalogue may have many thousand."""

_RISE_OF_REQUESTS: Final = (0.28, 4.0)
"""From idle talk to a good request, where no examples tell: a factor, and the power of how near
the phrases of a description are to it. The power is fitted to the examples of eight catalogues."""

_RISES: Final = (0.08, 0.4)
"""The least and the most that examples may tell: near copies of each other tell too much."""

_Rows = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Scored:
    """Texts scored: a row for each text.

    `units` has a column for each agent. `off_topic`, `closing` and `continuation` say how near
    a text is to such talk (cosine).
    """

    ranking: Ranking
    units: NDArray[np.float32]
    off_topic: NDArray[np.float32]
    closing: NDArray[np.float32]
    continuation: NDArray[np.float32]


class Scorer:
    """Fitted to agents; `vectorizer` is asked once, for `fitting_texts(agents)`."""

    def __init__(
        self, agents: Sequence[AgentInfo], vectorizer: Vectorizer, table: TokenTable
    ) -> None:
        texts = fitting_texts(agents)
        place = {text: index for index, text in enumerate(texts)}
        vectors = vectorizer(texts)
        idle = off_topic_sentences()
        # What all sentences have in common says nothing of their topic.
        self._centre = vectors[[place[text] for text in idle]].mean(axis=0)
        centred = unit(vectors - self._centre)

        def rows(wanted: Sequence[str]) -> Vectors:
            return centred[[place[text] for text in wanted]]

        self.index = Index(agents, rows, table)
        apart = self.index.dense(rows(idle)).max(axis=1) < _COVERED
        tops = _tops(self.index, idle, rows)
        self._zero = float(np.median(tops[apart]) if apart.any() else tops.min())
        rises = [score - self._zero for score in _left_out(agents, rows, table)]
        rise = float(np.median(rises)) if rises else self._expected_rise(agents, rows)
        self._rise = min(max(rise, _RISES[0]), _RISES[1])
        off_topic = rows(idle)[apart] if apart.any() else np.zeros_like(centred[:1])
        closing, continuation = (rows(load_background()[each]) for each in (CLOSING, CONTINUATION))
        self._talk = Nearest([off_topic, closing, continuation])

    def _expected_rise(self, agents: Sequence[AgentInfo], rows: _Rows) -> float:
        """Return the rise to expect by how near parts of descriptions are to their whole.

        Where an agent has many duties, a request for one of them scores lower.
        """
        phrases = [agent_phrases(agent) or agent_texts(agent)[:1] for agent in agents]
        nearness = [
            float(self.index.dense(rows(each))[:, column].mean())
            for column, each in enumerate(phrases)
        ]
        factor, power = _RISE_OF_REQUESTS
        return factor * math.pow(max(sum(nearness) / len(nearness), 0.0), power)

    def score(self, texts: WordCounts, vectors: Vectors | None = None) -> Scored:
        """Score texts, given the vectorizer's rows of them; None where that is the table."""
        reading = self.index.read(texts)
        centred = unit((reading.vectors if vectors is None else vectors) - self._centre)
        ranking = self.index.rank(reading, centred)
        off_topic, closing, continuation = self._talk(centred).T
        return Scored(
            ranking=ranking,
            units=(ranking.fused - np.float32(self._zero)) / np.float32(self._rise),
            off_topic=off_topic,
            closing=closing,
            continuation=continuation,
        )


def fitting_texts(agents: Sequence[AgentInfo]) -> list[str]:
    """Return each text whose vector a scorer of these agents needs, once."""
    own = [text for agent in agents for text in (*agent_texts(agent), *agent_phrases(agent))]
    common = [text for texts in load_background().values() for text in texts]
    return list(dict.fromkeys([*own, *common]))


def _left_out(agents: Sequence[AgentInfo], rows: _Rows, table: TokenTable) -> Iterator[float]:
    """Yield the best score of examples against agents that were fitted without them."""
    told = 0
    for fold in range(_FOLDS):
        held = [text for agent in agents for text in _held(agent, fold)]
        if held and told < _ENOUGH:
            rest = [replace(agent, examples=_kept(agent, fold)) for agent in agents]
            yield from _tops(Index(rest, rows, table), held, rows).tolist()
            told += len(held)


def _tops(index: Index, texts: Sequence[str], rows: _Rows) -> NDArray[np.float32]:
    """Return the best score of each text."""
    batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
    ranked = (index.rank(index.read(count_words(some)), rows(some)) for some in batches)
    return np.concatenate([ranking.fused.max(axis=1) for ranking in ranked])


def _held(agent: AgentInfo, fold: int) -> tuple[str, ...]:
    return agent.examples[fold::_FOLDS] if len(agent.examples) > 1 else ()


def _kept(agent: AgentInfo, fold: int) -> tuple[str, ...]:
    if len(agent.examples) == 1:
        return agent.examples
    return tuple(text for place, text in enumerate(agent.examples) if place % _FOLDS != fold)
