"""The embedded strategy: decides within this process, without asking any server."""

from __future__ import annotations

from collections.abc import Sequence

from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.embedded.dense import TokenTable
from extproc.orchestrator.embedded.index import agent_texts
from extproc.orchestrator.embedded.planner import AgentMatch, Planner
from extproc.orchestrator.embedded.spelling import Spelling
from extproc.orchestrator.embedded.text import spoken_words
from extproc.orchestrator.embedded.turn import Turn, read_turn
from extproc.plan import Plan, Source


class Embedded:
    """Static token embeddings and a lexical scorer, fitted to the agents when it is made.

    It reads the turn's user message and `Question.previous`, never the rest of the conversation.
    A plan's `scores` say how likely it is that an agent is meant at all, its `confidence` how
    likely the whole plan is right.
    """

    def __init__(self, agents: Sequence[AgentInfo], *, max_agents: int) -> None:
        self._table = TokenTable.shipped()
        texts = [text for agent in agents for text in agent_texts(agent)]
        own_words = (word for text in texts for word in spoken_words(text))
        self._spelling = Spelling(self._table.vocabulary, own_words)
        self._planner = Planner(
            agents,
            max_agents=max_agents,
            source=Source.EMBEDDED,
            vectorizer=self._table,
            table=self._table,
        )

    async def decide(self, question: Question) -> Plan:
        """Return a plan of allowed agents, empty when none fits."""
        return self.plan(question)

    def plan(self, question: Question) -> Plan:
        """Decide at once: only arithmetic, nothing is waited for."""
        return self._planner.plan(question, self.read(question))

    def read(self, question: Question) -> Turn:
        """Return the turn that is decided, slips in the agents' words corrected."""
        return read_turn(question.conversation, self._spelling)

    def explain(self, question: Question) -> list[AgentMatch]:
        """Return what speaks for each agent, allowed or not, the best first."""
        return self._planner.explain(self.read(question))
