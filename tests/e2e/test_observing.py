"""`mode: observe`: decisions are made, told and counted, and nothing follows from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Stack

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def stack(
    travel_yaml: Callable[..., str],
    run_module_stack: Callable[..., Stack],
) -> Stack:
    return run_module_stack(
        travel_yaml(
            'mode: observe\n    rules: [{when: {headers: {x-all: "1"}}, '
            "agents: [flight_agent, hotel_agent]}]",
            "observability: {response_headers: full}",
        )
    )


@pytest.fixture(autouse=True)
def forgotten(echo_agents: dict[str, EchoAgent]) -> None:
    for agent in echo_agents.values():
        agent.forget()


def ask(stack: Stack, http: httpx.Client, content: bytes, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.post(stack.url + CHAT, content=content, headers=named)


def conversation(model: str) -> bytes:
    messages = [{"role": "user", "content": "hello"}]
    return json.dumps({"model": model, "messages": messages}).encode()


def test_the_default_agent_gets_what_was_decided_for_another(
    http: httpx.Client, stack: Stack, echo_agents: dict[str, EchoAgent]
) -> None:
    body = conversation("hotel_agent")
    answer = ask(stack, http, body, x_request_id="observed-1")
    assert answer.json()["agent"] == "weather_agent"
    assert answer.headers["x-outerloop-agent"] == "hotel_agent"
    [got] = echo_agents["weather_agent"].requests()
    assert got.body == body
    assert got.header("x-outerloop-agent") == "hotel_agent"
    assert got.header("outerloop-hops") is None
    line = stack.access_log("observed-1")
    assert (line["agent"], line["source"], line["observed"]) == (
        "hotel_agent",
        "explicit",
        "routed",
    )


def test_what_would_be_refused_goes_on(
    http: httpx.Client, stack: Stack, echo_agents: dict[str, EchoAgent]
) -> None:
    answer = ask(stack, http, b"{", x_request_id="observed-2")
    assert (answer.status_code, answer.json()["agent"]) == (200, "weather_agent")
    [got] = echo_agents["weather_agent"].requests()
    assert got.header("x-outerloop-error") == "invalid_request"
    assert stack.access_log("observed-2")["observed"] == "invalid_request"


def test_earlier_agents_of_a_plan_are_not_called(
    http: httpx.Client, stack: Stack, echo_agents: dict[str, EchoAgent]
) -> None:
    answer = ask(stack, http, conversation("any"), x_all="1")
    assert answer.json()["agent"] == "weather_agent"
    assert answer.headers["x-outerloop-plan"] == "flight_agent,hotel_agent"
    assert echo_agents["flight_agent"].requests() == []


def test_what_was_decided_is_counted_and_kept(http: httpx.Client, stack: Stack) -> None:
    ask(stack, http, conversation("flight_agent"), x_request_id="observed-3")
    kept: list[dict[str, Any]] = http.get(f"{stack.admin}/decisions").json()
    [decision] = [each for each in kept if each["request_id"] == "observed-3"]
    assert decision["agent"] == "flight_agent"
    metrics = http.get(f"{stack.admin}/metrics").text
    assert 'outerloop_requests_total{agent="flight_agent"' in metrics
