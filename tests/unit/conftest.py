from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from extproc.calls import Call, CallFailed, Response, Target
from extproc.config.model.root import Limits
from extproc.deciding import Decider
from extproc.filters.chain import Chain
from extproc.http import Answer
from extproc.memory import Memory
from extproc.orchestrator.api import Question
from extproc.origin import parse_origin
from extproc.plan import Plan, Source
from extproc.runtime import Listener, Runtime
from extproc.spans import NoTracer
from extproc.steps import StepAgent, StepRunner


class Scripted:
    """A strategy that answers, raises, hangs (None) or computes, and keeps what it was asked."""

    def __init__(self, answer: Plan | Exception | Callable[[Question], Plan] | None) -> None:
        self.answer = answer
        self.asked: list[Question] = []

    async def decide(self, question: Question) -> Plan:
        self.asked.append(question)
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, Plan):
            return self.answer
        assert self.answer is not None
        return self.answer(question)


async def nobody(_call: Call) -> Response:
    raise CallFailed("nobody is there")


@pytest.fixture
def scripted() -> type[Scripted]:
    return Scripted


@pytest.fixture
def make_decider() -> Callable[..., Decider]:
    """A decider of agents a and b (the default), whose strategy chooses a; `changes` are fields."""

    def make(**changes: Any) -> Decider:
        chooses_a = Scripted(Plan(("a",), Source.EMBEDDED, 0.876, {"a": 0.9, "b": 0.1}))
        values: dict[str, Any] = {
            "agents": ("a", "b"),
            "default": "b",
            "strategy": chooses_a,
            "local": None,
            "rules": (),
            "session_header": None,
            "decisions": Memory(100, None),
            "sessions": Memory(100, None),
            "reject_none": False,
            "reject_error": False,
        }
        return Decider(**(values | changes))

    return make


@pytest.fixture
def make_runtime(make_decider: Callable[..., Decider]) -> Callable[..., Runtime]:
    """A runtime with listeners of those names (default: main), all with the same decider."""

    def make(
        *listeners: str,
        decider: Decider | None = None,
        decision_timeout: float = 5.0,
        steps: StepRunner | None = None,
        limits: Limits | None = None,
        chain: Chain | None = None,
    ) -> Runtime:
        nothing = Chain((), NoTracer())
        agents = {
            agent: StepAgent(Target(agent, parse_origin(f"http://{agent}")), 9.0, nothing, nothing)
            for agent in ("a", "b")
        }
        made = (
            Listener(
                name=name,
                input=chain or nothing,
                decider=decider or make_decider(),
                steps=steps
                or StepRunner(
                    agents, nobody, False, False, "assistant", 1000, Limits(), NoTracer()
                ),
                decision_timeout=decision_timeout,
                models=Answer(b'{"data":[]}'),
                answers={},
            )
            for name in listeners or ("main",)
        )
        return Runtime(
            generation=1,
            listeners={each.name: each for each in made},
            limits=limits or Limits(),
            tracer=NoTracer(),
        )

    return make
