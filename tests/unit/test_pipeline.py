from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from extproc.answering import AnswerFilters
from extproc.calls import Call, CallFailed, Response, Target
from extproc.config.model.root import Limits
from extproc.deciding import Decider
from extproc.errors import Reject
from extproc.filters.chain import Chain
from extproc.http import Answer, Headers, HttpRequest, Metadata, Mutations
from extproc.origin import parse_origin
from extproc.pipeline import Pipeline
from extproc.plan import Plan, Source
from extproc.runtime import Runtime
from extproc.spans import NoTracer
from extproc.steps import StepAgent, StepRunner
from extproc.stream.events import ResponseHeaders, Result, Unfinished
from extproc.traceparent import trace_id

CHAT = "/v1/chat/completions"
SECRET = "my secret prompt"
NO_FILTERS = Chain((), NoTracer())

MakeDecider = Callable[..., Decider]
MakeRuntime = Callable[..., Runtime]


def post(
    body: object = None, path: str = CHAT, method: str = "POST", **headers: str
) -> HttpRequest:
    if body is None:
        body = {"messages": [{"role": "user", "content": SECRET}]}
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpRequest(method, path, Headers(pairs), json.dumps(body).encode())


def encoded(*encodings: str) -> HttpRequest:
    headers = Headers(tuple(("content-encoding", encoding) for encoding in encodings))
    return HttpRequest("POST", CHAT, headers, post().body)


def headers_of(outcome: object) -> dict[str, str]:
    assert isinstance(outcome, Mutations), outcome
    return dict(outcome.headers)


def logged(result: Result) -> Metadata:
    answer = result.answer
    verdict = answer.verdict if isinstance(answer, Mutations) else None
    return {**(verdict.metadata if verdict else {}), **result.metadata}


def rejected(outcome: object) -> tuple[int, str]:
    assert isinstance(outcome, Reject), outcome
    assert SECRET not in outcome.message
    return outcome.status, outcome.code


async def test_a_decision_becomes_the_headers_that_envoy_routes_on(
    make_runtime: MakeRuntime,
) -> None:
    result = await Pipeline(make_runtime()).run(post())
    outcome = result.answer
    headers = headers_of(outcome)
    traceparent = headers.pop("traceparent")
    assert headers.pop("outerloop-hops") == "1"
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
    assert logged(result)["trace_id"] == trace_id(traceparent)
    assert logged(result)["confidence"] == 0.876
    assert logged(result)["cached"] is False
    assert [logged(result)[key] for key in ("agent", "plan", "source")] == ["a", "a", "embedded"]
    assert float(logged(result)["decision_ms"]) >= 0


async def test_an_answer_without_filters_is_known_where_others_have_some(
    make_runtime: MakeRuntime,
) -> None:
    runtime = make_runtime()
    # The agent that is decided on is another one.
    filtered = {"b": AnswerFilters(NO_FILTERS, 5.0, 1000)}
    main = replace(runtime.listeners["main"], answers=filtered)
    pipeline = Pipeline(replace(runtime, listeners={"main": main}))
    result = await pipeline.run(post())
    exchange = result.metadata["exchange"]
    assert json.loads(str(exchange)) == {"listener": "main", "agent": "a"}
    assert result.exchange == ""
    # A gateway may show the answers of all agents: it passes.
    assert pipeline.answering(ResponseHeaders(exchange=str(exchange))) is None
    assert "exchange" not in (await Pipeline(runtime).run(post())).metadata


async def test_a_decision_that_was_remembered_says_so(make_runtime: MakeRuntime) -> None:
    pipeline = Pipeline(make_runtime())
    await pipeline.run(post())
    result = await pipeline.run(post())
    assert logged(result)["cached"] is True


async def test_the_clients_trace_goes_on_unchanged(make_runtime: MakeRuntime) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    request = post(traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    result = await Pipeline(make_runtime()).run(request)
    assert headers_of(result.answer)["traceparent"] == f"00-{trace}-00f067aa0ba902b7-01"
    assert logged(result)["trace_id"] == trace


async def test_the_budget_of_a_decision_is_kept(
    make_runtime: MakeRuntime, make_decider: MakeDecider, scripted: Any
) -> None:
    hanging = make_runtime(decider=make_decider(strategy=scripted(None)), decision_timeout=0.01)
    assert rejected((await Pipeline(hanging).run(post())).answer) == (504, "decision_timeout")


async def test_a_bug_is_an_internal_error_that_tells_nothing(
    make_runtime: MakeRuntime,
    make_decider: MakeDecider,
    scripted: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = make_runtime(decider=make_decider(strategy=scripted(ZeroDivisionError(SECRET))))
    with caplog.at_level(logging.ERROR):
        outcome = (await Pipeline(broken).run(post())).answer
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
        (encoded("identity", "gzip"), (415, "unsupported_encoding")),
    ],
)
async def test_what_the_headers_rule_out(
    request_: HttpRequest, expected: tuple[int, str], make_runtime: MakeRuntime
) -> None:
    target = Pipeline(make_runtime())
    assert rejected(target.screen(request_)) == expected
    assert rejected((await target.run(request_)).answer) == expected


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages":[]}'])
async def test_what_is_no_conversation(body: bytes, make_runtime: MakeRuntime) -> None:
    request = HttpRequest("POST", CHAT, Headers(), body)
    assert rejected((await Pipeline(make_runtime()).run(request)).answer) == (
        400,
        "invalid_request",
    )


async def test_limits_come_from_the_file(make_runtime: MakeRuntime) -> None:
    body = {"messages": [{"role": "user", "content": "x"}] * 4}
    runtime = make_runtime(limits=Limits(max_conversation_messages=3))
    assert rejected((await Pipeline(runtime).run(post(body))).answer) == (400, "invalid_request")


async def test_models_are_listed_without_a_decision(make_runtime: MakeRuntime) -> None:
    outcome = (await Pipeline(make_runtime()).run(post(path="/v1/models", method="GET"))).answer
    assert outcome == Answer(b'{"data":[]}')


async def test_the_listener_is_the_one_that_the_gateway_names(make_runtime: MakeRuntime) -> None:
    both = Pipeline(make_runtime("one", "two"))
    headers = headers_of((await both.run(post(x_outerloop_listener="two"))).answer)
    assert headers["x-outerloop-listener"] == "two"


@pytest.mark.parametrize("named", [{}, {"x_outerloop_listener": "three"}])
async def test_a_gateway_that_names_no_listener_of_ours(
    named: dict[str, str], make_runtime: MakeRuntime
) -> None:
    outcome = (await Pipeline(make_runtime("one", "two")).run(post(None, **named))).answer
    assert rejected(outcome) == (500, "internal_error")
    assert isinstance(outcome, Reject)
    assert "x-outerloop-listener" in outcome.message


async def test_one_listener_needs_no_name(make_runtime: MakeRuntime) -> None:
    headers = headers_of((await Pipeline(make_runtime("only")).run(post())).answer)
    assert headers["x-outerloop-listener"] == "only"


async def test_earlier_agents_are_run_once_envoy_has_time(
    make_runtime: MakeRuntime, make_decider: MakeDecider, scripted: Any
) -> None:
    calls: list[Call] = []

    async def caller(call: Call, /) -> Response:
        calls.append(call)
        text = {"choices": [{"message": {"content": "it rains"}}]}
        return Response(200, Headers(), json.dumps(text).encode())

    targets = {
        name: StepAgent(
            Target(f"agent/{name}", parse_origin(f"http://{name}")), 9.0, NO_FILTERS, NO_FILTERS
        )
        for name in ("a", "b")
    }
    runtime = make_runtime(
        decider=make_decider(strategy=scripted(Plan(("a", "b"), Source.MODEL, 0.9))),
        steps=StepRunner(targets, caller, False, False, "assistant", 1000, Limits(), NoTracer()),
    )
    unfinished = (await Pipeline(runtime).run(post())).answer
    assert isinstance(unfinished, Unfinished)
    assert unfinished.timeout >= 9.0
    assert not calls
    result = await unfinished.finish()
    assert result.decision is not None
    assert [(step.agent, step.outcome.value) for step in result.decision.steps] == [("a", "ok")]
    outcome = result.answer
    headers = headers_of(outcome)
    assert headers["x-outerloop-agent"] == "b"
    assert (headers["x-outerloop-plan"], headers["x-outerloop-step"]) == ("a,b", "2/2")
    assert isinstance(outcome, Mutations)
    assert outcome.body is not None
    assert [message["content"] for message in json.loads(outcome.body)["messages"]] == [
        "it rains",
        SECRET,
    ]
    sent = dict(calls[0].headers)
    assert (sent["traceparent"], sent["outerloop-hops"]) == (headers["traceparent"], "1")


async def test_a_failed_step_is_an_answer_and_no_exception(
    make_runtime: MakeRuntime, make_decider: MakeDecider, scripted: Any
) -> None:
    async def refused(_call: Call, /) -> Response:
        raise CallFailed("agent/a: refused")

    targets = {
        name: StepAgent(
            Target(f"agent/{name}", parse_origin(f"http://{name}")), 9.0, NO_FILTERS, NO_FILTERS
        )
        for name in ("a", "b")
    }
    runtime = make_runtime(
        decider=make_decider(strategy=scripted(Plan(("a", "b"), Source.MODEL, 0.9))),
        steps=StepRunner(targets, refused, False, False, "assistant", 1000, Limits(), NoTracer()),
    )
    unfinished = (await Pipeline(runtime).run(post())).answer
    assert isinstance(unfinished, Unfinished)
    result = await unfinished.finish()
    assert rejected(result.answer) == (502, "step_failed")
    assert result.decision is not None
    assert [(step.agent, step.outcome.value) for step in result.decision.steps] == [("a", "failed")]


@pytest.mark.parametrize(("hops", "status"), [("7", None), ("8", 508), ("99", 508)])
def test_a_request_that_goes_in_circles(
    hops: str, status: int | None, make_runtime: MakeRuntime
) -> None:
    outcome = Pipeline(make_runtime()).screen(post(outerloop_hops=hops))
    assert (outcome.status if isinstance(outcome, Reject) else None) == status


async def test_loops_are_counted(make_runtime: MakeRuntime) -> None:
    outcome = (await Pipeline(make_runtime()).run(post(outerloop_hops="3"))).answer
    assert headers_of(outcome)["outerloop-hops"] == "4"


async def test_what_was_meant_for_another_agent_gets_the_model_of_the_one_that_takes_over(
    make_runtime: MakeRuntime,
) -> None:
    pipeline = Pipeline(replace(make_runtime(), models={"b": "gpt-b"}))
    meant = {"model": "gpt-a", "messages": [{"role": "user", "content": "x"}], "seed": 1}
    made = await pipeline.readdress(post(meant, x_outerloop_target="takeover.b"))
    assert isinstance(made, Mutations)
    assert json.loads(made.body or b"") == {**meant, "model": "gpt-b"}
    assert (made.set_headers, made.reroute) == ((), False)
    assert await pipeline.readdress(post(x_outerloop_target="takeover.c")) == Mutations()
    bad = post([], x_outerloop_target="takeover.b")
    assert rejected(await pipeline.readdress(bad))[0] == 400
    assert pipeline.takes_over(bad)
    assert not pipeline.takes_over(post(x_outerloop_target="agent/b"))
    assert not pipeline.takes_over(post())


def observing(runtime: Runtime) -> Runtime:
    listeners = {
        name: replace(listener, observes=True) for name, listener in runtime.listeners.items()
    }
    return replace(runtime, listeners=listeners)


class TestObserving:
    """Decides, and changes nothing."""

    async def test_the_decision_is_said_and_not_followed(self, make_runtime: MakeRuntime) -> None:
        result = await Pipeline(observing(make_runtime())).run(post())
        told = result.told
        headers = headers_of(told)
        assert headers["x-outerloop-agent"] == "a"
        assert all(name.startswith("x-outerloop-") for name in headers)
        assert isinstance(told, Mutations)
        assert (told.reroute, told.body) == (False, None)
        assert result.decision is not None
        assert result.metadata["observed"] == "routed"

    async def test_a_refusal_is_noted_and_not_made(self, make_runtime: MakeRuntime) -> None:
        pipeline = Pipeline(observing(make_runtime()))
        for request in (post({"messages": []}), post(path="/v1/embeddings"), encoded("gzip")):
            assert not isinstance(pipeline.screen(request), Reject)
            result = await pipeline.run(request)
            assert isinstance(result.answer, Reject)
            assert headers_of(result.told) == {"x-outerloop-error": result.answer.code}
            assert result.metadata["observed"] == result.answer.code

    async def test_the_list_of_models_is_for_others_to_answer(
        self, make_runtime: MakeRuntime
    ) -> None:
        request = HttpRequest("GET", "/v1/models", Headers(()), b"")
        result = await Pipeline(observing(make_runtime())).run(request)
        assert result.told == Mutations()

    async def test_earlier_agents_of_a_plan_are_not_called(
        self, make_runtime: MakeRuntime, make_decider: MakeDecider, scripted: Callable[..., Any]
    ) -> None:
        plan = Plan(("a", "b"), Source.EMBEDDED, 0.9)
        runtime = make_runtime(decider=make_decider(strategy=scripted(plan)))
        result = await Pipeline(observing(runtime)).run(post())
        assert headers_of(result.told)["x-outerloop-plan"] == "a,b"
        assert headers_of(result.told)["x-outerloop-agent"] == "b"
