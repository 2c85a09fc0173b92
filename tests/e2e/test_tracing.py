"""One connected trace, from the client's span through Envoy, processor and filters to agents."""

from __future__ import annotations

import itertools
import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.collector import Collector, Span, over_grpc, over_http

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process, Stack

SERVICE = str(Path(__file__).parents[1] / "support/filter_service.py")
CHAT = "/v1/chat/completions"
PARENT = "00f067aa0ba902b7"
ENVOY, OURS = "outerloop-envoy", "outerloop"
CALL = "async envoy.service.ext_proc.v3.ExternalProcessor.Process egress"
YAML = """
version: v1
agents:
  - {{id: weather, url: "{weather_agent}"}}
  - {{id: flight, url: "{flight_agent}", retries: {{num_retries: 2, retry_on: [503]}}}}
  - id: split
    variants: [{{id: only, weight: 1, url: "{hotel_agent}"}}]
filters:
  - {{id: guard, type: builtin, use: limits, options: {{max_chars: 100}}}}
  - {{id: rewriter, type: http, url: "{rewriter}"}}
orchestrator:
  strategy: model
  model: {{url: "http://127.0.0.1:1/v1", name: planner, timeout: 1s}}
listeners:
  - name: travel
    port: 0
    input_filters: [guard]
    rules:
      - {{when: {{headers: {{x-plan: two}}}}, agents: [weather, flight]}}
    agents:
      - {{id: weather, description: Weather.}}
      - {{id: flight, description: Flights., input_filters: [rewriter]}}
      - {{id: split}}
observability: {{response_headers: full}}
tracing:
  otlp_endpoint: "{collector}"
  span_attributes: {{header_prefixes: [X-Acme-, authorization], static: {{team: red}}}}
"""
SAID = json.dumps(json.dumps({"choices": [{"message": {"role": "assistant", "content": "hi"}}]}))
numbers = itertools.count(1)


class Traced:
    """A stack, what its collector got, and requests that are part of a trace."""

    def __init__(self, stack: Stack, collector: Collector) -> None:
        self.stack = stack
        self.collector = collector

    def ask(
        self, model: str = "", text: str = "hello", **headers: str
    ) -> tuple[httpx.Response, str]:
        """Return the answer, and the id of the trace."""
        trace = f"{next(numbers):032x}"
        body = {
            "messages": [{"role": "user", "content": text}],
            **({"model": model} if model else {}),
        }
        told = {"traceparent": f"00-{trace}-{PARENT}-01", **headers}
        return httpx.post(self.stack.url + CHAT, json=body, headers=told, timeout=30), trace

    def spans(self, trace: str, *names: str) -> dict[str, Span]:
        """Return the spans of a trace by name, of which these are all; check that it is one."""
        found = self.collector.trace(trace, lambda spans: len(spans) >= len(names))
        assert Counter(span.name for span in found) == Counter(names)
        connected(found)
        return {span.name: span for span in found}


def connected(spans: list[Span]) -> None:
    """All are below the client's span, and one alone is its child."""
    ids = {span.id for span in spans}
    assert len(ids) == len(spans)
    assert {span.parent for span in spans} - ids == {PARENT}
    [top] = [span for span in spans if span.parent == PARENT]
    assert (top.service, top.name) == (ENVOY, "listener travel")


def is_whole(spans: list[Span], caller: str, called: str) -> bool:
    """Nothing is missing above any span, nor below those that call."""
    names = Counter(span.name for span in spans)
    missing = {span.parent for span in spans} - {span.id for span in spans}
    ends = any(name.startswith("invoke_agent") for name in names)
    return missing == {PARENT} and names[caller] == names[called] and ends


@pytest.fixture(scope="module")
def urls(
    start_process: type[Process], echo_agents: dict[str, EchoAgent]
) -> Iterator[dict[str, str]]:
    rewriter = start_process(sys.executable, SERVICE, "http")
    port = rewriter.wait_line(str.isdigit)
    agents = {name: agent.url for name, agent in echo_agents.items()}
    yield {"rewriter": f"http://127.0.0.1:{port}", **agents}
    rewriter.stop()


@pytest.fixture(scope="module")
def traced(run_module_stack: Callable[..., Stack], urls: dict[str, str]) -> Iterator[Traced]:
    with over_grpc() as collector:
        yaml = YAML.format(**urls, collector=collector.url)
        yield Traced(run_module_stack(yaml, "--workers", "2"), collector)


def sent(agent: EchoAgent) -> list[str | None]:
    """Return the spans under which an agent was called."""
    found = [(seen.header("traceparent") or "").split("-")[2] for seen in agent.requests()]
    agent.forget()
    return list(found)


def test_one_agent(traced: Traced, echo_agents: dict[str, EchoAgent]) -> None:
    echo_agents["weather_agent"].forget()
    answer, trace = traced.ask("weather", **{"x-acme-user": "u1", "authorization": "Bearer sk"})
    assert answer.status_code == 200
    names = ("listener travel", CALL, "process", "filter guard", "decide", "invoke_agent weather")
    spans = traced.spans(trace, *names)
    assert spans[CALL].parent == spans["listener travel"].id
    assert spans["process"].parent == spans[CALL].id
    for inner in ("filter guard", "decide"):
        assert spans[inner].parent == spans["process"].id
    assert spans["invoke_agent weather"].parent == spans["listener travel"].id
    assert sent(echo_agents["weather_agent"]) == [spans["invoke_agent weather"].id]
    told = spans["process"].attributes
    assert told["http.request.header.x-acme-user"] == ["u1"]
    assert not [name for name in told if "authorization" in name]
    assert (told["outerloop.outcome"], told["outerloop.plan"]) == ("routed", ["weather"])
    listener = spans["listener travel"].attributes
    assert listener["outerloop.source"] == "explicit"
    assert listener["gen_ai.agent.id"] == listener["outerloop.agent"] == "weather"
    assert {span.attributes.get("team") for span in spans.values() if span.service == ENVOY} == {
        "red",
        None,  # Envoy gives the call of the processor no tags
    }
    assert not [span.name for span in spans.values() if span.failed]
    assert traced.stack.access_log(answer.headers["x-request-id"])["trace_id"] == trace


def test_a_variant_is_told(traced: Traced) -> None:
    answer, trace = traced.ask("split")
    assert answer.headers["x-outerloop-variant"] == "only"
    names = ("listener travel", CALL, "process", "filter guard", "decide", "invoke_agent split")
    spans = traced.spans(trace, *names)
    assert spans["invoke_agent split"].attributes["outerloop.variant"] == "only"


def test_a_plan_of_two_with_filters(
    traced: Traced, echo_agents: dict[str, EchoAgent], urls: dict[str, str]
) -> None:
    for agent in echo_agents.values():
        agent.forget()
    said = {"x-test-at": "weather_agent", "x-test-body": SAID}
    answer, trace = traced.ask(**{"x-plan": "two", **said})
    assert answer.status_code == 200
    # Envoy would mark the ids of requests that it traces.
    seen = [*echo_agents["weather_agent"].requests(), *echo_agents["flight_agent"].requests()]
    assert [each.header("x-request-id") for each in seen] == [answer.headers["x-request-id"]] * 2
    spans = traced.spans(
        trace,
        *("listener travel", CALL, "process", "decide", "filter guard", "filter rewriter"),
        *("invoke_agent weather", "invoke_agent flight", "egress", "egress"),
        *("target/agent/weather", "target/filter/rewriter"),
    )
    step = spans["invoke_agent weather"]
    assert (step.service, step.parent) == (OURS, spans["process"].id)
    assert step.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert step.attributes["outerloop.step"] == "1/2"
    # Each call of ours goes through Envoy, which knows who made it.
    egress = {span.parent: span.id for span in traced.collector.spans if span.name == "egress"}
    assert spans["target/agent/weather"].parent == egress[step.id]
    assert spans["target/filter/rewriter"].parent == egress[spans["filter rewriter"].id]
    assert sent(echo_agents["weather_agent"]) == [spans["target/agent/weather"].id]
    assert sent(echo_agents["flight_agent"]) == [spans["invoke_agent flight"].id]
    [*_, call] = httpx.get(f"{urls['rewriter']}/calls", timeout=30).json()
    assert call["traceparent"] == f"00-{trace}-{spans['target/filter/rewriter'].id}-01"


def test_refused_by_a_filter(traced: Traced) -> None:
    answer, trace = traced.ask("weather", "long " * 100)
    assert answer.headers["x-outerloop-error"] == "filter_denied"
    spans = traced.spans(trace, "listener travel", CALL, "process", "filter guard")
    assert spans["filter guard"].attributes["outerloop.outcome"] == "denied"
    told = spans["process"].attributes
    assert (told["outerloop.outcome"], told["error.type"]) == ("rejected", "filter_denied")
    assert spans["listener travel"].attributes["outerloop.error"] == "filter_denied"
    # What a client did wrong is no failure of ours (OpenTelemetry, HTTP spans).
    assert not spans["process"].failed


def test_the_orchestrator_is_down(traced: Traced) -> None:
    answer, trace = traced.ask(text="whatever")
    assert answer.headers["x-outerloop-source"] == "fallback"
    found = traced.collector.trace(trace, lambda spans: is_whole(spans, "chat planner", "egress"))
    connected(found)
    names = Counter(span.name for span in found)
    calls = names["chat planner"]
    assert calls == names["egress"] >= 1
    decide = next(span for span in found if span.name == "decide")
    assert decide.attributes["outerloop.source"] == "fallback"
    for span in found:
        if span.name == "chat planner":
            assert (span.parent, span.failed) == (decide.id, True)
            assert span.attributes["gen_ai.request.model"] == "planner"
    assert names["invoke_agent weather"] == 1


def test_the_client_hangs_up(traced: Traced, echo_agents: dict[str, EchoAgent]) -> None:
    trace = f"{next(numbers):032x}"
    body = json.dumps({"messages": [{"role": "user", "content": "hello"}]})
    headers = {
        "host": "x",
        "traceparent": f"00-{trace}-{PARENT}-01",
        "x-plan": "two",
        "x-test-at": "weather_agent",
        "x-test-hold": "now",
        "x-request-id": f"hangs-up-{trace}",
        "content-length": str(len(body)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", traced.stack.port)) as connection:
        connection.sendall(f"POST {CHAT} HTTP/1.1\r\n{lines}\r\n{body}".encode())
        end = time.monotonic() + 30
        while headers["x-request-id"] not in echo_agents["weather_agent"].running():
            assert time.monotonic() < end
            time.sleep(0.05)
    spans = traced.spans(
        trace,
        *("listener travel", CALL, "process", "decide", "filter guard"),
        *("invoke_agent weather", "egress", "target/agent/weather"),
    )
    assert spans["process"].attributes["outerloop.outcome"] == "cancelled"
    assert spans["listener travel"].attributes["response_flags"] == "DC"


def test_an_upstream_is_tried_again(traced: Traced, echo_agents: dict[str, EchoAgent]) -> None:
    echo_agents["flight_agent"].forget()
    said = {"x-test-at": "flight_agent", "x-test-status": "503"}
    answer, trace = traced.ask("flight", **said)
    assert answer.status_code == 503
    found = traced.collector.trace(
        trace, lambda spans: is_whole(spans, "egress", "target/filter/rewriter")
    )
    connected(found)
    tries = [span for span in found if span.name == "invoke_agent flight"]
    assert sent(echo_agents["flight_agent"]) == [span.id for span in tries]
    assert len(tries) == 3
    assert {span.attributes["http.status_code"] for span in tries} == {"503"}
    [listener] = [span for span in found if span.name == "listener travel"]
    assert {span.parent for span in tries} == {listener.id}


def test_what_the_client_does_not_want_traced_is_not(
    traced: Traced, echo_agents: dict[str, EchoAgent]
) -> None:
    echo_agents["weather_agent"].forget()
    trace = "d" * 32
    answer, _ = traced.ask("weather", traceparent=f"00-{trace}-{PARENT}-00")
    assert answer.status_code == 200
    [seen] = echo_agents["weather_agent"].requests()
    assert (seen.header("traceparent") or "").startswith(f"00-{trace}-")
    assert (seen.header("traceparent") or "").endswith("-00")
    # One that is traced comes later and is there.
    traced.spans(
        traced.ask("weather")[1],
        *("listener travel", CALL, "process", "filter guard", "decide", "invoke_agent weather"),
    )
    assert not [span for span in traced.collector.spans if span.trace == trace]


@pytest.mark.parametrize("sampling", [100, 0])
def test_a_request_without_a_trace_begins_one_as_often_as_the_file_says(
    run_stack: Callable[..., Stack],
    echo_agents: dict[str, EchoAgent],
    urls: dict[str, str],
    sampling: int,
) -> None:
    """Over HTTP."""
    with over_http() as collector:
        yaml = YAML.format(**urls, collector=f"{collector.url}/v1/traces")
        stack = run_stack(yaml + f"  random_sampling: {sampling}\n")
        body = {"model": "weather", "messages": [{"role": "user", "content": "hello"}]}
        answer = httpx.post(stack.url + CHAT, json=body, timeout=30)
        trace = stack.access_log(answer.headers["x-request-id"])["trace_id"]
        [seen] = [
            each
            for each in echo_agents["weather_agent"].requests()
            if each.header("x-request-id") == answer.headers["x-request-id"]
        ]
        flags = "01" if sampling else "00"
        assert (seen.header("traceparent") or "").startswith(f"00-{trace}-")
        assert (seen.header("traceparent") or "").endswith(f"-{flags}")
        if sampling:
            found = collector.trace(trace, lambda spans: len(spans) >= 6)
            assert len(found) == 6
        else:
            stack.process.stop()
            assert collector.spans == []
