"""`execution: parallel`: the agents before the last one run at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

if TYPE_CHECKING:
    from tests.e2e.plans.conftest import Agents, Behaviour, Client

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = (CHAT, MESSAGES, RESPONSES)
Refused = Callable[..., dict[str, Any]]


def together(agents: Agents, barrier: asyncio.Barrier, text: str, after: float) -> Behaviour:
    """Answer only once all that share the barrier were asked."""
    answer = agents.says(text, after=after)

    async def behaviour(request: web.Request) -> web.StreamResponse:
        await barrier.wait()
        return await answer(request)

    return behaviour


@pytest.mark.parametrize("path", PATHS)
def test_they_run_at_once_with_the_same_conversation(
    plans: Client, agents: Agents, path: str
) -> None:
    """Each waits for the others; what they say stands in plan order, not in that of arrival."""
    barrier = asyncio.Barrier(3)
    pauses = {"a": 0.1, "b": 0.05, "c": 0}
    request_id = agents.script(
        **{
            agent: together(agents, barrier, f"{agent} says so", pause)
            for agent, pause in pauses.items()
        }
    )
    answer = plans.post("parallel", "a,b,c,d", path=path, under=request_id)
    assert answer.status_code == 200
    *first, last = agents.calls(request_id)
    assert sorted(call.agent for call in first) == ["a", "b", "c"]
    assert len({call.body for call in first}) == 1
    assert last.agent == "d"
    assert [text for _, text in last.texts] == [
        *("a says so", "b says so", "c says so"),
        "do it all",
    ]
    steps = {call.agent: call.header("x-outerloop-step") for call in first}
    assert steps == {"a": "1/4", "b": "2/4", "c": "3/4"}


def test_one_that_fails_cancels_the_others(plans: Client, agents: Agents, refused: Refused) -> None:
    hangs, begun = agents.hangs, threading.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        begun.set()
        return await hangs(request)

    async def fail(_request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(begun.wait, 60)
        return web.Response(status=500)

    request_id = agents.script(a=hang, b=fail)
    error = refused(plans.post("parallel", "a,b,c", under=request_id), CHAT, 502, "step_failed")
    assert (error["agent"], error["upstream_status"]) == ("b", 500)
    [cancelled] = [call for call in agents.calls(request_id) if call.agent == "a"]
    agents.wait(lambda: cancelled.cut)
    assert {call.agent for call in agents.calls(request_id)} == {"a", "b"}


def test_one_that_is_skipped_cancels_nobody(plans: Client, agents: Agents) -> None:
    late = agents.event()

    async def fail(_request: web.Request) -> web.StreamResponse:
        late.set()
        return web.Response(status=500)

    request_id = agents.script(a=agents.says("late", until=late), b=fail)
    assert plans.post("parallel_skip", "a,b,c", under=request_id).status_code == 200
    assert agents.calls(request_id)[-1].texts[0] == ("assistant", "late")


def test_all_may_fail(plans: Client, agents: Agents, refused: Refused) -> None:
    broken = agents.answers(b"", status=500)
    request_id = agents.script(a=broken, b=broken)
    error = refused(plans.post("parallel", "a,b,c", under=request_id), CHAT, 502, "step_failed")
    assert error["agent"] in {"a", "b"}
    request_id = agents.script(a=broken, b=broken)
    assert plans.post("parallel_skip", "a,b,c", under=request_id).status_code == 200
    assert agents.calls(request_id)[-1].texts == [("user", "do it all")]


def test_one_after_another_they_run_otherwise(plans: Client, agents: Agents) -> None:
    request_id = agents.script(a=agents.says("a says so", after=0.1))
    plans.post("fail", "a,b,c", under=request_id)
    first, second, _ = agents.calls(request_id)
    assert first.ended is not None
    assert first.ended < second.began
