"""The embedded strategy: decides within this process, without asking any server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.embedded.dense import TokenTable, Vectorizer
from extproc.orchestrator.embedded.scorer import Scorer, agent_texts
from extproc.plan import Plan, Source

_NONE_BAR: Final = 0.25


class Embedded:
    """Static token embeddings and a lexical scorer, fitted to the agents when it is made."""

    def __init__(
        self, agents: Sequence[AgentInfo], *, max_agents: int, vectorizer: Vectorizer | None = None
    ) -> None:
        self._ids = [agent.id for agent in agents]
        self._max_agents = max_agents
        self._vectorizer = vectorizer or TokenTable.shipped()
        texts = [text for agent in agents for text in agent_texts(agent)]
        self._scorer = Scorer(agents, self._vectorizer(texts))

    async def decide(self, question: Question) -> Plan:
        """Return a plan of allowed agents, empty when none fits."""
        return self.plan(question)

    def plan(self, question: Question) -> Plan:
        """Decide at once: only arithmetic, nothing is waited for."""
        turn = question.conversation.turn
        text = "" if turn is None else question.conversation.messages[turn].text
        allowed = [
            place
            for place, agent in enumerate(self._ids)
            if question.allowed is None or agent in question.allowed
        ]
        if not allowed:
            return Plan(agents=(), source=Source.EMBEDDED)
        (ranking,) = self._scorer.rank([text], self._vectorizer([text]))
        fitting = np.clip(ranking.fused, 0, 1)
        best = max(allowed, key=lambda place: (fitting[place], self._ids[place]))
        confidence = float(fitting[best])
        scores = {self._ids[place]: float(fitting[place]) for place in allowed}
        if confidence < _NONE_BAR:
            return Plan((), Source.EMBEDDED, 1 - confidence, scores)
        return Plan((self._ids[best],), Source.EMBEDDED, confidence, scores)
