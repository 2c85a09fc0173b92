"""Plans by vectors and words: what the embedded and the embeddings strategy have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.embedded import calibration
from extproc.orchestrator.embedded.catch_all import is_catch_all
from extproc.orchestrator.embedded.choice import Choice, Evidence, choose
from extproc.orchestrator.embedded.dense import TokenTable, Vectorizer, Vectors
from extproc.orchestrator.embedded.scorer import Scorer
from extproc.orchestrator.embedded.turn import Turn
from extproc.plan import Plan, Source


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

    def plan(self, question: Question, turn: Turn, vectors: Vectors) -> Plan:
        """Decide, given the turn of the question and the vectors of its texts."""
        columns = [
            column
            for column, agent in enumerate(self._ids)
            if question.allowed is None or agent in question.allowed
        ]
        if not columns:
            return Plan((), self._source)
        ids = [self._ids[column] for column in columns]
        scored = self.scorer.score(turn.texts, vectors)
        units = scored.units[:, columns]
        fits = calibration.fits(units, scored.off_topic[:, None])
        kinship = self.scorer.index.kinship
        if len(columns) < len(self._ids):
            kinship = kinship[np.ix_(columns, columns)]
        evidence = Evidence(turn, units, fits, kinship, scored.closing, scored.continuation)
        previous = ids.index(question.previous) if question.previous in ids else None
        choice = choose(evidence, previous, self._max_agents)
        scores = dict(zip(ids, fits.max(axis=0).tolist(), strict=True))
        if not choice.agents and turn.texts[0].strip() and not evidence.says_goodbye:
            choice = self._leftover(ids, choice, scores)
        agents = tuple(ids[column] for column in choice.agents)
        return Plan(agents, self._source, choice.confidence, scores)

    def _leftover(self, ids: Sequence[str], choice: Choice, scores: dict[str, float]) -> Choice:
        """Give what fits no agent to the one that is there for it, if any."""
        for column, agent in enumerate(ids):
            if agent in self._catch_all:
                scores[agent] = max(scores[agent], choice.confidence)
                return Choice((column,), choice.confidence)
        return choice
