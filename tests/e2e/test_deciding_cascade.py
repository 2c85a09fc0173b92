"""A cascade asks its model only when it is unsure, and forgets what was a makeshift; by Envoy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import ScriptedServer, Stack

CHAT = "/v1/chat/completions"
MODEL = """
orchestrator:
  strategy: {strategy}
  max_agents: 1
  min_confidence: 0.9
  model: {{url: "{url}", name: router-4b, timeout: 1s}}
observability: {{response_headers: full}}
"""
UNSURE = "Can you book something?"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def told(answer: httpx.Response) -> tuple[str, str, str]:
    names = ("x-outerloop-agent", "x-outerloop-source", "x-outerloop-cached")
    agent, source, cached = (answer.headers[name] for name in names)
    return agent, source, cached


@pytest.fixture(scope="module")
def model_server(scripted_server: Callable[..., ScriptedServer]) -> ScriptedServer:
    return scripted_server("fake_model.py", table={"book": "hotel_agent"}, seconds=60.0)


@pytest.fixture
def model(model_server: ScriptedServer) -> ScriptedServer:
    """A model that answers, and has been sent nothing yet."""
    model_server.script("ok")
    model_server.requests()
    return model_server


@pytest.fixture(scope="module")
def modelled(
    run_module_stack: Callable[..., Stack],
    travel_yaml: Callable[..., str],
    model_server: ScriptedServer,
) -> Callable[[str], Stack]:
    """One stack for each strategy."""
    stacks: dict[str, Stack] = {}

    def run(strategy: str) -> Stack:
        if strategy not in stacks:
            more = MODEL.format(strategy=strategy, url=model_server.url)
            stacks[strategy] = run_module_stack(travel_yaml(more=more))
        return stacks[strategy]

    return run


def test_a_fallback_is_not_remembered(
    http: httpx.Client, modelled: Callable[[str], Stack], model: ScriptedServer
) -> None:
    url = modelled("model").url + CHAT
    body = {"messages": [user(UNSURE)]}
    model.script("500")
    for _ in range(2):
        assert told(http.post(url, json=body)) == ("weather_agent", "fallback", "false")
    model.script("ok")
    assert told(http.post(url, json=body)) == ("hotel_agent", "model", "false")
    model.requests()
    assert told(http.post(url, json=body)) == ("hotel_agent", "model", "true")
    assert model.requests() == []


def test_a_cascade_asks_the_model_only_when_it_is_unsure(
    http: httpx.Client, modelled: Callable[[str], Stack], model: ScriptedServer
) -> None:
    url = modelled("cascade").url + CHAT
    for city in ("Rome", "Paris", "London"):
        body = {"messages": [user(f"Book me a flight to {city}.")]}
        assert told(http.post(url, json=body)) == ("flight_agent", "embedded", "false")
    assert model.requests() == []
    body = {"messages": [user(UNSURE)]}
    assert told(http.post(url, json=body)) == ("hotel_agent", "model", "false")
    assert len(model.requests()) == 1


def test_a_cascade_falls_back_when_its_model_fails(
    http: httpx.Client, modelled: Callable[[str], Stack], model: ScriptedServer
) -> None:
    url = modelled("cascade").url + CHAT
    model.script("500")
    unsure = {"messages": [user(f"{UNSURE} Please.")]}
    assert told(http.post(url, json=unsure)) == ("weather_agent", "fallback", "false")
    sure = {"messages": [user("Book me a flight to Madrid.")]}
    assert told(http.post(url, json=sure)) == ("flight_agent", "embedded", "false")
