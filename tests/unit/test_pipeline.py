from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from extproc.config.model.root import Limits
from extproc.errors import OrchestratorFailed, Reject
from extproc.http import Answer, Headers, HttpRequest, Mutations
from extproc.orchestrator.api import Question
from extproc.pipeline import Pipeline
from extproc.plan import Plan, Source
from extproc.runtime import Listener, Runtime
from extproc.traceparent import trace_id

CHAT = "/v1/chat/completions"
SECRET = "my secret prompt"


class Scripted:
    """A strategy that answers, raises or hangs as it is told, and keeps what it was asked."""

    def __init__(self, plan: Plan | Exception | None) -> None:
        self.plan = plan
        self.asked: list[Question] = []

    async def decide(self, question: Question) -> Plan:
        self.asked.append(question)
        if self.plan is None:
            await asyncio.Event().wait()
        if isinstance(self.plan, Exception):
            raise self.plan
        assert self.plan is not None
        return self.plan


def listener(name: str = "main", **changes: Any) -> Listener:
    values: dict[str, Any] = {
        "name": name,
        "agents": ("a", "b"),
        "default": "b",
        "strategy": Scripted(Plan(("a",), Source.EMBEDDED, 0.876, {"a": 0.9, "b": 0.1})),
        "reject_none": False,
        "reject_error": False,
        "decision_timeout": 5.0,
        "models": Answer(b'{"data":[]}'),
    }
    return Listener(**(values | changes))


def pipeline(*listeners: Listener) -> Pipeline:
    limits = Limits(max_conversation_messages=3)
    return Pipeline(Runtime(1, {each.name: each for each in listeners}, limits, 60.0))


def post(
    body: object = None, path: str = CHAT, method: str = "POST", **headers: str
) -> HttpRequest:
    if body is None:
        body = {"messages": [{"role": "user", "content": SECRET}]}
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpRequest(method, path, Headers(pairs), json.dumps(body).encode())


def headers_of(outcome: object) -> dict[str, str]:
    assert isinstance(outcome, Mutations), outcome
    return dict(outcome.set_headers)


def rejected(outcome: object) -> tuple[int, str]:
    assert isinstance(outcome, Reject), outcome
    assert SECRET not in outcome.message
    return outcome.status, outcome.code


async def test_a_decision_becomes_the_headers_that_envoy_routes_on() -> None:
    outcome = await pipeline(listener()).run(post())
    headers = headers_of(outcome)
    traceparent = headers.pop("traceparent")
    assert headers == {
        "x-outerloop-agent": "a",
        "x-outerloop-plan": "a",
        "x-outerloop-step": "1/1",
        "x-outerloop-source": "embedded",
        "x-outerloop-confidence": "0.88",
        "x-outerloop-listener": "main",
    }
    assert isinstance(outcome, Mutations)
    assert outcome.reroute
    assert outcome.body is None
    assert outcome.metadata["trace_id"] == trace_id(traceparent)
    assert outcome.metadata["confidence"] == 0.876
    assert outcome.metadata["cached"] is False
    assert float(outcome.metadata["decision_ms"]) >= 0


async def test_the_clients_trace_goes_on_unchanged() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    outcome = await pipeline(listener()).run(post(traceparent=f"00-{trace}-00f067aa0ba902b7-01"))
    assert "traceparent" not in headers_of(outcome)
    assert isinstance(outcome, Mutations)
    assert outcome.metadata["trace_id"] == trace


async def test_a_model_that_is_an_agent_is_that_agent() -> None:
    strategy = Scripted(OrchestratorFailed("must not be asked"))
    body = {"model": "b", "messages": [{"role": "user", "content": "x"}]}
    headers = headers_of(await pipeline(listener(strategy=strategy)).run(post(body)))
    assert (headers["x-outerloop-agent"], headers["x-outerloop-source"]) == ("b", "explicit")


async def test_the_only_agent_needs_no_strategy() -> None:
    strategy = Scripted(OrchestratorFailed("must not be asked"))
    only = listener(agents=("a",), default="a", strategy=strategy)
    headers = headers_of(await pipeline(only).run(post()))
    assert (headers["x-outerloop-agent"], headers["x-outerloop-source"]) == ("a", "single")


async def test_no_agent_fits() -> None:
    none = Scripted(Plan((), Source.EMBEDDED, 0.7))
    headers = headers_of(await pipeline(listener(strategy=none)).run(post()))
    assert (headers["x-outerloop-agent"], headers["x-outerloop-source"]) == ("b", "default")
    outcome = await pipeline(listener(strategy=none, reject_none=True)).run(post())
    assert rejected(outcome) == (422, "no_agent_fits")


async def test_a_strategy_that_cannot_decide() -> None:
    failing = Scripted(OrchestratorFailed("refused"))
    headers = headers_of(await pipeline(listener(strategy=failing)).run(post()))
    assert (headers["x-outerloop-agent"], headers["x-outerloop-source"]) == ("b", "fallback")
    outcome = await pipeline(listener(strategy=failing, reject_error=True)).run(post())
    assert rejected(outcome) == (503, "orchestrator_failed")


async def test_the_budget_of_a_decision_is_kept() -> None:
    hanging = listener(strategy=Scripted(None), decision_timeout=0.01)
    assert rejected(await pipeline(hanging).run(post())) == (504, "decision_timeout")


async def test_a_bug_is_an_internal_error_that_tells_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = listener(strategy=Scripted(ZeroDivisionError(SECRET)))
    with caplog.at_level(logging.ERROR):
        outcome = await pipeline(broken).run(post())
    assert rejected(outcome) == (500, "internal_error")
    assert isinstance(outcome, Reject)
    assert str(outcome.details["id"]) in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (post(path="/v1/embeddings"), (404, "not_found")),
        (post(path=CHAT + "/"), (404, "not_found")),
        (post(method="GET"), (405, "method_not_allowed")),
        (post(path="/v1/models"), (405, "method_not_allowed")),
        (post(content_encoding="gzip"), (415, "unsupported_encoding")),
        (post(content_encoding="identity, br"), (415, "unsupported_encoding")),
    ],
)
async def test_what_the_headers_rule_out(request_: HttpRequest, expected: tuple[int, str]) -> None:
    target = pipeline(listener())
    assert rejected(target.screen(request_)) == expected
    assert rejected(await target.run(request_)) == expected


def test_what_the_headers_allow() -> None:
    target = pipeline(listener())
    assert target.screen(post()) is None
    assert target.screen(post(path="/v1/messages?beta=true")) is None
    assert target.screen(post(content_encoding="Identity")) is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages":[]}'])
async def test_what_is_no_conversation(body: bytes) -> None:
    request = HttpRequest("POST", CHAT, Headers(), body)
    assert rejected(await pipeline(listener()).run(request)) == (400, "invalid_request")


async def test_limits_come_from_the_file() -> None:
    body = {"messages": [{"role": "user", "content": "x"}] * 4}
    assert rejected(await pipeline(listener()).run(post(body))) == (400, "invalid_request")


async def test_models_are_listed_without_a_decision() -> None:
    outcome = await pipeline(listener()).run(post(path="/v1/models", method="GET"))
    assert outcome == Answer(b'{"data":[]}')


async def test_the_listener_is_the_one_that_the_gateway_names() -> None:
    both = pipeline(listener("one"), listener("two", agents=("a",), default="a"))
    headers = headers_of(await both.run(post(x_outerloop_listener="two")))
    assert (headers["x-outerloop-listener"], headers["x-outerloop-source"]) == ("two", "single")


@pytest.mark.parametrize("named", [{}, {"x_outerloop_listener": "three"}])
async def test_a_gateway_that_names_no_listener_of_ours(named: dict[str, str]) -> None:
    both = pipeline(listener("one"), listener("two"))
    outcome = await both.run(post(None, **named))
    assert rejected(outcome) == (500, "internal_error")
    assert isinstance(outcome, Reject)
    assert "x-outerloop-listener" in outcome.message


async def test_one_listener_needs_no_name() -> None:
    headers = headers_of(await pipeline(listener("only")).run(post()))
    assert headers["x-outerloop-listener"] == "only"
