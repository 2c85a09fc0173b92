"""What is seen of a plan of two agents: metrics, decisions, spans."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.collector import Collector, over_grpc

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SPANS = 9
SECRET = "my-secret-prompt"
BODY = {"messages": [{"role": "user", "content": SECRET}]}
YAML = """
version: v1
agents:
  - {{id: weather_agent, url: "{weather}"}}
  - {{id: flight_agent, url: "{flight}"}}
filters: [{{id: length, type: builtin, use: limits, options: {{max_chars: 1000}}}}]
listeners:
  - type: agent
    name: travel
    port: 0
    input_filters: [length]
    rules: [{{when: {{headers: {{x-test-plan: two}}}}, agents: [weather_agent, flight_agent]}}]
    agents: [{{id: weather_agent}}, {{id: flight_agent}}]
tracing: {{otlp_endpoint: "{collector}"}}
"""
TWO = {"x-test-plan": "two", "traceparent": f"00-{TRACE}-{PARENT}-01", "authorization": "sk-key"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with over_grpc() as collector:
        yield collector


@pytest.fixture(scope="module")
def stack(
    run_module_stack: Callable[..., Stack],
    sample_agents: Callable[[float], AbstractContextManager[dict[str, str]]],
    collector: Collector,
) -> Iterator[Stack]:
    with sample_agents(0) as urls:
        yaml = YAML.format(
            weather=urls["weather_agent"], flight=urls["flight_agent"], collector=collector.url
        )
        yield run_module_stack(yaml, "--workers", "2")


def metrics(stack: Stack) -> str:
    return httpx.get(f"{stack.admin}/metrics", timeout=20).text


def test_a_plan_is_seen_everywhere_and_its_content_nowhere(
    stack: Stack, collector: Collector
) -> None:
    response = httpx.post(f"{stack.url}/v1/chat/completions", json=BODY, headers=TWO, timeout=20)
    assert response.status_code == 200
    request_id = response.headers["x-request-id"]

    [decision] = httpx.get(f"{stack.admin}/decisions", timeout=20).json()
    assert decision["request_id"] == request_id
    assert (decision["plan"], decision["source"]) == (["weather_agent", "flight_agent"], "rule")
    [step] = decision["steps"]
    assert (step["agent"], step["outcome"], step["status"]) == ("weather_agent", "ok", 200)
    assert step["ms"] > 0

    shown = metrics(stack)
    labels = 'agent="flight_agent",listener="travel",outcome="routed",source="rule"'
    assert f"outerloop_requests_total{{{labels}}} 1.0" in shown
    assert 'outerloop_step_seconds_count{agent="weather_agent",outcome="ok"} 1.0' in shown
    assert 'outerloop_decision_seconds_count{strategy="rule"} 1.0' in shown
    assert "outerloop_inflight_requests 0.0" in shown
    for agent in ("weather_agent", "flight_agent"):
        name = f'agent="{agent}",status_class="2xx",variant=""'
        assert f"outerloop_agent_responses_total{{{name}}} 1.0" in shown

    assert 'outerloop_filter_seconds_count{filter="length",outcome="passed"} 1.0' in shown
    [looked] = decision["filters"]
    assert (looked["filter"], looked["outcome"]) == ("length", "passed")

    # test_tracing.py says how they hang together.
    spans = collector.trace(TRACE, lambda spans: len(spans) >= SPANS)
    assert len(spans) == SPANS

    everything = "\n".join((shown, str(decision), collector.seen, stack.process.output))
    for secret in (SECRET, "sk-key"):
        assert secret not in everything
