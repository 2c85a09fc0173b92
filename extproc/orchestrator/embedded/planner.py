"""Plans by vectors and words: what the embedded and the embeddings strategy have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.embedded import calibration
from extproc.orchestrator.embedded.catch_all import is_catch_all
from extproc.orchestrator.embedded.choice import Choice, Evidence, choose
from extproc.orchestrator.embedded.dense import TokenTable, Vectorizer, Vectors
from extproc.orchestrator.embedded.scorer import Scorer
from extproc.orchestrator.embedded.turn import Turn
from extproc.plan import Plan, Source


@dataclass(frozen=True, slots=True)
class AgentMatch:
    """What speaks for an agent: the parts of its score, and the words that matched most.

    `dense` is by the meaning of the whole text, `lexical` by the words it shares with the agent,
    `related` by words that are near to the agent's. `fused` is their weighted sum.
    """

    agent: str
    fused: float
    dense: float
    lexical: float
    related: float
    words: tuple[str, ...]


class Planner:
    """Fitted to agents (one at least). `vectorizer` is asked once, for `fitting_texts(agents)`."""

    def __init__(
        self,
        agents: Sequence[AgentInfo],
        *,
        max_agents: int,
        source: Source,
        vectorizer: Vectorizer,
        table: TokenTable,
    ) -> None:
        self._ids = [agent.id for agent in agents]
        self._catch_all = {agent.id for agent in agents if is_catch_all(agent)}
        self._max_agents = max_agents
        self._source = source
        self.scorer = Scorer(agents, vectorizer, table)

    def plan(self, question: Question, turn: Turn, vectors: Vectors | None = None) -> Plan:
        """Decide, given the turn of the question and the vectorizer's rows of its texts.

        None where the vectorizer is the table.
        """
        ids, columns = self._ids, None
        if question.allowed is not None:
            columns = [at for at, agent in enumerate(ids) if agent in question.allowed]
            ids = [ids[column] for column in columns]
        if not ids:
            return Plan((), self._source)
        scored = self.scorer.score(turn.counted, vectors)
        units, kinship = scored.units, self.scorer.index.kinship
        if columns is not None:
            units, kinship = units[:, columns], kinship[np.ix_(columns, columns)]
        odds = calibration.odds(units, scored.off_topic[:, None])
        fits = calibration.fits(odds.max(axis=0))
        evidence = Evidence(turn, units, odds, fits, kinship, scored.closing, scored.continuation)
        previous = None
        if question.previous is not None and question.previous in ids:
            previous = ids.index(question.previous)
        choice = choose(evidence, previous, self._max_agents)
        scores = dict(zip(ids, fits.tolist(), strict=True))
        if not choice.agents and turn.texts[0].strip() and not evidence.says_goodbye:
            choice = self._leftover(ids, choice, scores)
        agents = tuple(ids[column] for column in choice.agents)
        return Plan(agents, self._source, choice.confidence, scores)

    def explain(self, turn: Turn, vectors: Vectors | None = None) -> list[AgentMatch]:
        """Return why each agent scores as it does, the best first, over the turn as a whole."""
        ranking = self.scorer.score(turn.counted, vectors).ranking
        matches = self.scorer.index.matches(turn.texts[0])
        return [
            AgentMatch(
                agent=self._ids[place],
                fused=float(ranking.fused[0, place]),
                dense=float(ranking.dense[0, place]),
                lexical=float(ranking.lexical[0, place]),
                related=float(ranking.related[0, place]),
                words=tuple(matches[place]),
            )
            for place in np.argsort(-ranking.fused[0]).tolist()
        ]

    def _leftover(self, ids: Sequence[str], choice: Choice, scores: dict[str, float]) -> Choice:
        """Give what fits no agent to the one that is there for it, if any."""
        for column, agent in enumerate(ids):
            if agent in self._catch_all:
                scores[agent] = max(scores[agent], choice.confidence)
                return Choice((column,), choice.confidence)
        return choice
