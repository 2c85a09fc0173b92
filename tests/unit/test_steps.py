from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from extproc.apis.api import decode
from extproc.budget import Budget
from extproc.calls import Call, CallFailed, Response, Target
from extproc.config.model.root import Limits
from extproc.conversation import Conversation
from extproc.errors import StepFailed
from extproc.exchange import Exchange
from extproc.filters.chain import Chain
from extproc.forwarding import Trail
from extproc.http import Headers, HttpRequest
from extproc.origin import parse_origin
from extproc.plan import Decision, Plan, Source, StepOutcome
from extproc.spans import NoTracer
from extproc.steps import StepAgent, StepRunner
from extproc.verdict import step_headers

CHAT = "/v1/chat/completions"
BODY = b'{"stream": true, "x": 1.00, "messages": [{"role": "user", "content": "do all"}]}'
TRAIL = Trail("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", loops=1)
REQUEST = HttpRequest(
    "POST",
    f"{CHAT}?k=v",
    Headers(
        (
            (":path", f"{CHAT}?k=v"),
            ("authorization", "Bearer k"),
            ("content-type", "application/json; charset=utf-8"),
            ("content-length", "5"),
            ("x-request-id", "r"),
        )
    ),
    BODY,
)


NO_FILTERS = Chain((), NoTracer())


def says(text: str) -> Response:
    body = {"choices": [{"message": {"role": "assistant", "content": text}}]}
    return Response(200, Headers(), json.dumps(body).encode())


class Agents:
    """Answers as the agents do: by default each says its name."""

    def __init__(
        self, **answers: Response | CallFailed | Callable[[], Awaitable[Response]]
    ) -> None:
        self.answers = answers
        self.calls: list[Call] = []
        self.cancelled: list[str] = []

    async def __call__(self, call: Call, /) -> Response:
        self.calls.append(call)
        name = call.target.name.removeprefix("agent/")
        answer = self.answers.get(name, says(f"{name} says so"))
        if isinstance(answer, Response):
            return answer
        if isinstance(answer, CallFailed):
            raise answer
        try:
            return await answer()
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise


def runner(agents: Agents, **changes: Any) -> StepRunner:
    values: dict[str, Any] = {
        "agents": {
            name: StepAgent(
                Target(f"agent/{name}", parse_origin(f"http://{name}/base")),
                7.0,
                NO_FILTERS,
                NO_FILTERS,
            )
            for name in "abc"
        },
        "caller": agents,
        "parallel": False,
        "skip_failed": False,
        "insert": "assistant",
        "max_bytes": 1000,
        "tracer": NoTracer(),
        "limits": Limits(max_request_bytes=10_000),
    }
    return StepRunner(**(values | changes))


DECISION = Decision("main", Plan(("a", "b", "c"), Source.MODEL, 0.9), cached=False, milliseconds=1)


async def run(steps: StepRunner) -> tuple[list[dict[str, Any]], list[tuple[str, str, int | None]]]:
    """The messages for the last agent, and how each call went."""
    conversation: Conversation = decode(CHAT, BODY, Limits())
    exchange = Exchange(REQUEST, TRAIL, Budget(30), [], [])
    final, _ = await steps.run(exchange, conversation, DECISION)
    messages = json.loads(final)["messages"]
    return messages, [(each.agent, each.outcome.value, each.status) for each in exchange.steps]


def messages_of(call: Call) -> list[str]:
    return [message["content"] for message in json.loads(call.body)["messages"]]


async def test_each_agent_hears_what_those_before_it_said() -> None:
    agents = Agents()
    messages, records = await run(runner(agents))
    assert messages == [
        {"role": "assistant", "name": "a", "content": "a says so"},
        {"role": "assistant", "name": "b", "content": "b says so"},
        {"role": "user", "content": "do all"},
    ]
    assert records == [("a", "ok", 200), ("b", "ok", 200)]
    assert [messages_of(call) for call in agents.calls] == [["do all"], ["a says so", "do all"]]


async def test_a_call_is_the_clients_own_request_but_for_streaming() -> None:
    agents = Agents()
    await run(runner(agents))
    call = agents.calls[1]
    assert call.path == f"/base{CHAT}?k=v"
    assert call.body.startswith(b'{"stream": false, "x": 1.00, "messages": [')
    assert call.max_bytes == 1000
    assert call.timeout > 7.0
    assert call.headers == (
        ("authorization", "Bearer k"),
        ("content-type", "application/json; charset=utf-8"),
        ("x-request-id", "r"),
        *TRAIL.headers(),
        ("x-outerloop-agent", "b"),
        ("x-outerloop-plan", "a,b,c"),
        ("x-outerloop-step", "2/3"),
        ("x-outerloop-source", "model"),
        ("x-outerloop-confidence", "0.90"),
        ("x-outerloop-listener", "main"),
    )


async def test_in_parallel_all_hear_the_same_and_answers_stand_in_plan_order() -> None:
    both = asyncio.Event()
    waiting = 0

    async def together(name: str) -> Response:
        nonlocal waiting
        waiting += 1
        if waiting == 2:
            both.set()
        await both.wait()
        if name == "a":
            await asyncio.sleep(0.01)
        return says(f"{name} says so")

    agents = Agents(a=lambda: together("a"), b=lambda: together("b"))
    messages, records = await asyncio.wait_for(run(runner(agents, parallel=True)), 10)
    assert [message["content"] for message in messages] == ["a says so", "b says so", "do all"]
    assert [agent for agent, *_ in sorted(records)] == ["a", "b"]
    assert [messages_of(call) for call in agents.calls] == [["do all"], ["do all"]]


FAILURES = {
    "status": (Response(503, Headers(), b"{}"), 503),
    "redirect": (Response(302, Headers(), b"{}"), 302),
    "garbage": (Response(200, Headers(), b"<html>"), 200),
    "refused": (CallFailed("agent/a: refused"), None),
    "late": (CallFailed("agent/a: late", timed_out=True), None),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("parallel", [False, True])
async def test_a_failed_agent_ends_the_plan(failure: str, *, parallel: bool) -> None:
    answer, status = FAILURES[failure]
    agents = Agents(a=answer)  # type: ignore[arg-type] # both kinds are meant
    with pytest.raises(StepFailed) as failed:
        await run(runner(agents, parallel=parallel))
    expected = {"agent": "a"} | ({"upstream_status": status} if status is not None else {})
    assert failed.value.details == expected
    if not parallel:
        assert len(agents.calls) == 1


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("parallel", [False, True])
async def test_a_failed_agent_is_skipped(failure: str, *, parallel: bool) -> None:
    answer, status = FAILURES[failure]
    agents = Agents(a=answer)  # type: ignore[arg-type] # both kinds are meant
    messages, records = await run(runner(agents, parallel=parallel, skip_failed=True))
    assert [message["content"] for message in messages] == ["b says so", "do all"]
    assert sorted(records, key=lambda each: each[0]) == [
        ("a", StepOutcome.FAILED, status),
        ("b", StepOutcome.OK, 200),
    ]


async def test_one_failure_cancels_the_others_that_run_beside_it() -> None:
    begun = asyncio.Event()

    async def hang() -> Response:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def fail() -> Response:
        await begun.wait()
        raise CallFailed("agent/b: refused")

    agents = Agents(a=hang, b=fail)
    with pytest.raises(StepFailed):
        await asyncio.wait_for(run(runner(agents, parallel=True)), 10)
    assert agents.cancelled == ["a"]


async def test_an_answer_without_text_adds_nothing() -> None:
    tools: dict[str, Any] = {
        "choices": [{"message": {"role": "assistant", "content": None, "tool_calls": []}}]
    }
    agents = Agents(a=Response(200, Headers(), json.dumps(tools).encode()))
    messages, records = await run(runner(agents))
    assert [message["content"] for message in messages] == ["b says so", "do all"]
    assert records[0] == ("a", "ok", 200)


def fits(*answers: str) -> int:
    """How long the conversation is with these answers in it."""
    return len(BODY) + sum(
        len(json.dumps({"role": "assistant", "name": "a", "content": answer})) + len(",")
        for answer in answers
    )


@pytest.mark.parametrize("parallel", [False, True])
async def test_an_answer_that_makes_the_request_too_large_is_a_failure(*, parallel: bool) -> None:
    limit = fits("a says so", "b says so")
    enough = runner(Agents(), parallel=parallel, limits=Limits(max_request_bytes=limit))
    assert [outcome for _, outcome, _ in (await run(enough))[1]] == ["ok", "ok"]
    less: dict[str, Any] = {"parallel": parallel, "limits": Limits(max_request_bytes=limit - 1)}
    with pytest.raises(StepFailed) as failed:
        await run(runner(Agents(), **less))
    assert failed.value.details == {"agent": "b"}
    messages, records = await run(runner(Agents(), skip_failed=True, **less))
    assert [message["content"] for message in messages] == ["a says so", "do all"]
    assert records == [("a", "ok", 200), ("b", "ok", 200)]


async def test_answers_may_go_into_a_system_message() -> None:
    messages, _ = await run(runner(Agents(), insert="system"))
    assert [message["role"] for message in messages] == ["system", "user"]
    assert "a says so" in messages[0]["content"]
    assert "b says so" in messages[0]["content"]


def test_how_long_it_may_take() -> None:
    one_by_one = runner(Agents()).longest(("a", "b"))
    at_once = runner(Agents(), parallel=True).longest(("a", "b"))
    assert one_by_one > 14.0
    assert 7.0 < at_once < one_by_one


def test_what_an_agent_is_told_of_the_decision() -> None:
    assert dict(step_headers(DECISION, 2))["x-outerloop-step"] == "3/3"


async def test_each_agent_of_a_plan_gets_its_own_model() -> None:
    agents = Agents()
    steps = runner(agents)
    own = {name: replace(each, model=f"gpt-{name}") for name, each in steps.agents.items()}
    steps = replace(steps, agents={**own, "b": steps.agents["b"]})
    exchange = Exchange(REQUEST, TRAIL, Budget(30), [], [])
    final, _ = await steps.run(exchange, decode(CHAT, BODY, Limits()), DECISION)
    sent = [json.loads(call.body).get("model") for call in agents.calls]
    assert [*sent, json.loads(final)["model"]] == ["gpt-a", None, "gpt-c"]
