from __future__ import annotations

from extproc.conversation import Api, Conversation, Message
from extproc.json_document import parse
from extproc.orchestrator.api import AgentInfo, Orchestrator, Question
from extproc.plan import Plan, Source

CONVERSATION = Conversation(Api.CHAT, parse(b"{}", max_depth=1), None, (Message("user", "hi"),))


class First:
    """The smallest strategy: the first agent that is allowed."""

    def __init__(self, *agents: AgentInfo) -> None:
        self.agents = agents

    async def decide(self, question: Question) -> Plan:
        allowed = (
            agent.id
            for agent in self.agents
            if question.allowed is None or agent.id in question.allowed
        )
        return Plan(tuple(allowed)[:1], Source.EMBEDDED)


async def test_an_object_with_decide_is_a_strategy() -> None:
    strategy: Orchestrator = First(AgentInfo("a"), AgentInfo("b"))
    assert (await strategy.decide(Question(CONVERSATION))).agents == ("a",)
    limited = Question(CONVERSATION, allowed=frozenset({"b"}))
    assert (await strategy.decide(limited)).agents == ("b",)


def test_a_question_limits_nothing_unless_said() -> None:
    question = Question(CONVERSATION)
    assert (question.allowed, question.previous) == (None, None)
