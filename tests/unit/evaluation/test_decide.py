from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from extproc.conversation import Api, Conversation, Message
from extproc.errors import OrchestratorFailed
from extproc.evaluation.cases import Case
from extproc.evaluation.decide import Fitted, Result, decide_all
from extproc.json_document import JsonObject
from extproc.orchestrator.api import Question
from extproc.plan import Plan, Source


class Scripted:
    """Answers each question with the next plan, and remembers the questions."""

    def __init__(self, *plans: Plan | OrchestratorFailed) -> None:
        self.plans = list(plans)
        self.questions: list[Question] = []
        self.under_way = 0
        self.most_under_way = 0

    async def decide(self, question: Question) -> Plan:
        self.questions.append(question)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        plan = self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]
        if isinstance(plan, OrchestratorFailed):
            raise plan
        return plan


def plan(*agents: str, confidence: float = 1.0, scores: dict[str, float] | None = None) -> Plan:
    return Plan(agents, Source.EMBEDDED, confidence, scores or {})


def fitted(strategy: Scripted, local: Scripted | None = None) -> Fitted:
    return Fitted(("a", "b", "c"), strategy, local)


async def decide(cases: Sequence[Case], strategy: Scripted, at_once: int = 1) -> list[Result]:
    return await decide_all(cases, {"desk": fitted(strategy)}, at_once=at_once, done=lambda: None)


@pytest.mark.parametrize(
    ("decided", "score"),
    [
        (plan("a", confidence=0.7), 0.7),
        (plan("a", confidence=0.4, scores={"a": 0.9, "b": 0.8}), 0.9),
        (plan(confidence=0.8), 0.2),
        (plan(confidence=0.8, scores={"a": 0.4}), 0.2),
    ],
)
async def test_the_score_is_that_any_agent_applies(
    decided: Plan, score: float, result: Callable[..., Result]
) -> None:
    (found,) = await decide([result("a", "a").case], Scripted(decided))
    assert found.prediction is not None
    assert found.prediction.score == pytest.approx(score)
    assert found.prediction.agents == decided.agents
    assert found.prediction.scores == decided.scores
    assert found.prediction.latency_ms >= 0


async def test_the_strategy_is_told_the_agent_of_before(result: Callable[..., Result]) -> None:
    case = replace(result("a", "a").case, previous="b")
    strategy = Scripted(plan("a"))
    await decide([case], strategy)
    assert strategy.questions[-1] == Question(case.conversation, previous="b")


def conversation(*messages: Message) -> Conversation:
    return Conversation(Api.CHAT, JsonObject(b"{}", {}), None, messages)


TURNS = (Message("user", "x"), Message("assistant", "y"), Message("user", "more"))


async def test_without_one_earlier_turns_are_decided_too(result: Callable[..., Result]) -> None:
    case = replace(result("a", "a").case, conversation=conversation(*TURNS))
    strategy, local = Scripted(plan("a")), Scripted(plan("b"))
    await decide_all([case], {"desk": fitted(strategy, local)}, at_once=1, done=lambda: None)
    assert strategy.questions[-1] == Question(case.conversation, previous="b")
    assert local.questions[-1] == Question(conversation(TURNS[0]))


@pytest.mark.parametrize("messages", [TURNS, TURNS[1:2]])
async def test_nobody_may_know_the_agent_of_before(
    messages: tuple[Message, ...], result: Callable[..., Result]
) -> None:
    case = replace(result("a", "a").case, conversation=conversation(*messages))
    strategy = Scripted(plan("a"))
    await decide([case], strategy)
    assert strategy.questions[-1].previous is None


async def test_an_answer_may_name_its_agent(result: Callable[..., Result]) -> None:
    named = (TURNS[0], Message("assistant", "y", "c"), TURNS[2])
    case = replace(result("a", "a").case, conversation=conversation(*named))
    strategy = Scripted(plan("a"))
    await decide([case], strategy)
    assert strategy.questions[-1].previous == "c"


async def test_results_are_in_order_and_the_first_decision_is_not_among_them(
    result: Callable[..., Result],
) -> None:
    cases = [result("a", "a").case for _ in range(3)]
    done: list[None] = []
    strategy = Scripted(plan("cold"), plan("a"), plan("b"), plan("c"))
    results = await decide_all(
        cases, {"desk": fitted(strategy)}, at_once=1, done=lambda: done.append(None)
    )
    assert [each.case for each in results] == cases
    assert [each.agents for each in results] == [("a",), ("b",), ("c",)]
    assert len(done) == len(cases)


async def test_each_set_has_its_strategy(result: Callable[..., Result]) -> None:
    cases = [result("a", "a", agents_set=name).case for name in ("shop", "desk", "shop")]
    strategies = {"desk": fitted(Scripted(plan("d"))), "shop": fitted(Scripted(plan("s")))}
    results = await decide_all(cases, strategies, at_once=2, done=lambda: None)
    assert [each.agents for each in results] == [("s",), ("d",), ("s",)]


async def test_few_decisions_are_under_way_at_once(result: Callable[..., Result]) -> None:
    strategy = Scripted(plan("a"))
    await decide([result("a", "a").case for _ in range(20)], strategy, at_once=4)
    assert strategy.most_under_way == 4


async def test_a_failure_is_a_result_that_is_not_right(result: Callable[..., Result]) -> None:
    strategy = Scripted(OrchestratorFailed("the model server is down"))
    (found,) = await decide([result("", "").case], strategy)
    assert (found.prediction, found.agents, found.is_right) == (None, (), False)
    assert found.failure == "the model server is down"


def test_right_is_the_whole_plan_in_order(result: Callable[..., Result]) -> None:
    assert result("a b", "a b").is_right
    assert not result("a b", "b a").is_right
    assert not result("a", "a b").is_right
    assert result("", "").is_right
