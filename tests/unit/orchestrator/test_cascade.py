from __future__ import annotations

from typing import Any

import pytest

from extproc.conversation import Api, Conversation
from extproc.errors import OrchestratorFailed
from extproc.json_document import parse
from extproc.orchestrator.api import Question
from extproc.orchestrator.cascade import Cascade
from extproc.plan import Plan, Source

QUESTION = Question(Conversation(Api.CHAT, parse(b"{}", max_depth=4), None, ()))
HERE = Plan(("a",), Source.EMBEDDED, 0.6)
THERE = Plan(("b",), Source.MODEL, 0.9)


@pytest.mark.parametrize(("bar", "plan"), [(0.6, HERE), (0.61, THERE)])
async def test_the_server_is_asked_only_below_the_bar(
    bar: float, plan: Plan, scripted: Any
) -> None:
    remote = scripted(THERE)
    cascade = Cascade(scripted(HERE), remote, bar)
    assert await cascade.decide(QUESTION) == plan
    assert remote.asked == ([QUESTION] if plan is THERE else [])


async def test_an_unsure_none_is_asked_on_too(scripted: Any) -> None:
    unsure = Plan((), Source.EMBEDDED, 0.5)
    assert await Cascade(scripted(unsure), scripted(THERE), 0.55).decide(QUESTION) == THERE


async def test_a_server_that_cannot_decide_is_not_hidden(scripted: Any) -> None:
    cascade = Cascade(scripted(HERE), scripted(OrchestratorFailed("refused")), 0.9)
    with pytest.raises(OrchestratorFailed):
        await cascade.decide(QUESTION)


@pytest.mark.parametrize(
    ("bar", "reason"),
    [
        (0.6, "no server was asked: confidence 0.60 >= 0.6"),
        (0.7, "too slow; a server was asked: embedded confidence 0.60 < 0.7"),
    ],
)
async def test_it_says_why(bar: float, reason: str, scripted: Any) -> None:
    remote = scripted(Plan(("b",), Source.EMBEDDED, 0.6, reason="too slow"))
    plan = await Cascade(scripted(HERE), remote, bar).decide(QUESTION)
    assert plan.reason == reason
