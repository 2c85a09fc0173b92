"""Cases decided by the strategies that would decide them live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from extproc.errors import OrchestratorFailed
from extproc.evaluation.cases import Case
from extproc.orchestrator.api import Orchestrator, Question
from extproc.orchestrator.history import previous_agent
from extproc.plan import Plan


@dataclass(frozen=True, slots=True)
class Fitted:
    """A strategy fitted to `agents`, and the one that decides earlier turns for it, if any does."""

    agents: tuple[str, ...]
    strategy: Orchestrator
    local: Orchestrator | None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was decided. `score` (0 to 1): how likely it is that any agent applies.

    `scores` are the strategy's for each agent, where it has some.
    """

    agents: tuple[str, ...]
    score: float
    latency_ms: float
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Result:
    """A case and its prediction, or why (`failure`) there is none."""

    case: Case
    prediction: Prediction | None
    failure: str = ""

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents that were chosen; none where the strategy failed."""
        return self.prediction.agents if self.prediction else ()

    @property
    def is_right(self) -> bool:
        """True where exactly the expected agents were chosen, in their order."""
        return self.prediction is not None and self.agents == self.case.expected


async def decide_all(
    cases: Sequence[Case],
    strategies: Mapping[str, Fitted],
    *,
    at_once: int,
    done: Callable[[], object],
) -> list[Result]:
    """Decide each case by the strategy of its agents_set; results are in the order of the cases.

    Where a case has no previous agent, it is found out as for live traffic without a session.
    `at_once` bounds the decisions under way; `done` is called after each. Latencies are those of
    the strategy alone, and of a warm process: one decision by each is thrown away beforehand.
    """
    for name, strategy in strategies.items():
        await _decide(next(case for case in cases if case.agents_set == name), strategy)
    results: dict[int, Result] = {}
    waiting = iter(enumerate(cases))

    async def work(waiting: Iterator[tuple[int, Case]]) -> None:
        for index, case in waiting:
            results[index] = await _decide(case, strategies[case.agents_set])
            done()

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work(waiting))
    return [results[index] for index in range(len(cases))]


async def _decide(case: Case, fitted: Fitted) -> Result:
    previous = case.previous if case.previous is not None else await _previous(case, fitted)
    question = Question(case.conversation, previous=previous)
    started = time.perf_counter()
    try:
        plan = await fitted.strategy.decide(question)
    except OrchestratorFailed as error:
        return Result(case, None, error.message)
    # Rounded here, so that figures made from the written predictions are the same.
    elapsed = round((time.perf_counter() - started) * 1000, 4)
    return Result(case, Prediction(plan.agents, _any_applies(plan), elapsed, plan.scores))


async def _previous(case: Case, fitted: Fitted) -> str | None:
    """Return the agent of the turn before, as live traffic learns it without a session."""
    conversation = case.conversation
    turn = conversation.turn
    if turn is None:
        return None
    return await previous_agent(
        conversation.messages[: turn + 1],
        fitted.agents,
        remembered=lambda _: None,
        local=fitted.local,
        question=lambda messages, previous: Question(
            conversation._replace(messages=messages), previous=previous
        ),
    )


def _any_applies(plan: Plan) -> float:
    """Return how likely it is that any agent applies.

    That is no less likely than that the whole plan is right, or that its likeliest agent applies.
    The confidence of an empty plan is that none does.
    """
    if not plan.agents:
        return 1 - plan.confidence
    return max((plan.confidence, *plan.scores.values()))
