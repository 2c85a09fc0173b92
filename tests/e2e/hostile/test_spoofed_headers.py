"""Headers that only the gateway may set, sent by a client."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Seen, Stack
    from tests.e2e.hostile.conftest import Agents, Wire

    Say = Callable[..., bytes]

CHAT = "/v1/chat/completions"
PATHS = (CHAT, "/v1/messages", "/v1/responses")
OURS = {
    "x-outerloop-agent": "flight_agent",
    "x-outerloop-plan": "flight_agent",
    "x-outerloop-step": "1/1",
    "x-outerloop-source": "explicit",
    "x-outerloop-confidence": "1.00",
    "x-outerloop-listener": "travel",
}
NAMES = (*OURS, *(f"x-outerloop-{name}" for name in ("variant", "cached", "decision-ms", "error")))
SPELLINGS: dict[str, Callable[[str], str]] = {
    "lower": str,
    "upper": str.upper,
    "title": str.title,
    "underscores": lambda name: name.replace("-", "_"),
    "one underscore": lambda name: name.replace("outerloop-", "Outerloop_"),
    "the other underscore": lambda name: name.replace("x-", "X_"),
}
SPOOFED = "hotel_agent"
ROUTE = tuple(f"{spell('x-outerloop-agent')}: {SPOOFED}" for spell in SPELLINGS.values())
ENVOY = {
    "x-envoy-retry-on": "5xx,gateway-error",
    "x-envoy-max-retries": "5",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-envoy-upstream-rq-per-try-timeout-ms": "1",
    "x-envoy-original-path": "/spoofed",
    "x-envoy-original-host": "spoofed",
    "x-envoy-decorator-operation": "spoofed",
    "x-envoy-upstream-alt-stat-name": "spoofed",
    "x-envoy-force-trace": "spoofed",
    "x-envoy-expected-rq-timeout-ms": "1234567",
    "x_envoy_retry_on": "5xx",
    "X-Envoy_Max_Retries": "5",
    "X-ENVOY-IP-TAGS": "spoofed",
}


def outerloop_headers(seen: Seen) -> dict[str, list[str]]:
    """Return every header that some framework could take for ours."""
    names = {name for name, _ in seen.headers if name.replace("_", "-").startswith("x-outerloop-")}
    return {name: seen.all(name) for name in names}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("path", PATHS)
def test_an_agent_gets_our_headers_once_and_no_others(
    wire: Wire, agents: Agents, say: Say, path: str, spelling: str
) -> None:
    lines = tuple(f"{SPELLINGS[spelling](name)}: {SPOOFED}" for name in NAMES)
    answer = wire.request("POST", path, lines * 2, say(path))
    assert answer.agent == "flight_agent"
    (seen,) = agents.saw()
    assert outerloop_headers(seen) == {name: [value] for name, value in OURS.items()}
    assert answer.header("x-outerloop-agent") == "flight_agent"
    assert answer.header("x-outerloop-error") is None


@pytest.mark.parametrize("spelling", ["lower", "underscores", "one underscore"])
def test_over_http2(wire: Wire, agents: Agents, say: Say, spelling: str) -> None:
    fields = tuple((SPELLINGS[spelling](name).lower(), SPOOFED) for name in NAMES)
    answer = wire.h2_request(say(), fields * 2)
    assert answer is not None
    assert answer.agent == "flight_agent"
    (seen,) = agents.saw()
    assert outerloop_headers(seen) == {name: [value] for name, value in OURS.items()}


@pytest.mark.parametrize("agent", [SPOOFED, "no_such_agent", "", "flight_agent,hotel_agent"])
def test_the_decision_stands_without_a_model_too(wire: Wire, agents: Agents, agent: str) -> None:
    turn = {"role": "user", "content": "Find me a flight to Oslo"}
    body = json.dumps({"messages": [turn]}).encode()
    answer = wire.request(headers=(f"x-outerloop-agent: {agent}",), body=body)
    assert answer.agent == "flight_agent"
    assert [seen.agent for seen in agents.saw()] == ["flight_agent"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_another_method_reaches_no_agent(
    wire: Wire, agents: Agents, say: Say, method: str, path: str
) -> None:
    for body in (None, b"", say(path)):
        answer = wire.request(method, path, ROUTE, body)
        assert answer.status == 405
        assert method == "HEAD" or answer.refuses(405, "method_not_allowed", path)
    assert agents.saw() == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [None, b""])
def test_a_post_without_a_body_reaches_no_agent(
    wire: Wire, agents: Agents, path: str, body: bytes | None
) -> None:
    assert wire.request("POST", path, ROUTE, body).refuses(400, "invalid_request", path)
    chunked = wire.http1()
    chunked.send(f"POST {path} HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n")
    chunked.send("".join(f"{line}\r\n" for line in ROUTE), "\r\n0\r\n\r\n")
    answer = chunked.answer()
    assert answer is not None
    assert answer.refuses(400, "invalid_request", path)
    assert agents.saw() == []


def test_the_list_of_models_is_ours(wire: Wire, agents: Agents) -> None:
    for body in (None, b"{}"):
        answer = wire.request("GET", "/v1/models", ROUTE, body)
        assert [model["id"] for model in answer.json["data"]] == [
            "weather_agent",
            "flight_agent",
            "hotel_agent",
        ]
    assert wire.request("POST", "/v1/models", ROUTE, b"{}").refuses(405, "method_not_allowed")
    assert agents.saw() == []


@pytest.mark.parametrize("path", ["/", "/v1/", "/v1/embeddings", "/v1/chat", "/admin", "/requests"])
def test_an_unknown_path_reaches_no_agent(wire: Wire, agents: Agents, say: Say, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert wire.request(method, path, ROUTE, say()).refuses(404, "not_found")
    assert agents.saw() == []


TWO_LISTENERS = """
version: v1
agents:
  - {{id: weather_agent, url: {weather_agent}}}
  - {{id: flight_agent, url: {flight_agent}}}
  - {{id: hotel_agent, url: {hotel_agent}}}
listeners:
  - {{type: agent, name: public, port: 0, agents: [{{id: weather_agent, description: Weather.}}]}}
  - {{type: agent, name: internal, port: 0, agents: [{{id: hotel_agent, description: Hotels.}}]}}
"""


@pytest.fixture(scope="module")
def two_listeners(run_module_stack: Callable[[str], Stack], echo_agents: dict[str, Any]) -> Stack:
    urls = {name: agent.url for name, agent in echo_agents.items()}
    return run_module_stack(TWO_LISTENERS.format(**urls))


def test_another_listener_cannot_be_claimed(
    two_listeners: Stack, connect: Callable[[str], Wire], agents: Agents, say: Say
) -> None:
    wire = connect(two_listeners.listeners["public"])
    claim = (*ROUTE, "x-outerloop-listener: internal", "X_OUTERLOOP_LISTENER: internal")
    for body in (say(), say(model=SPOOFED), say(model="x")):
        answer = wire.request(headers=claim, body=body)
        assert answer.agent == "weather_agent"
    for seen in agents.saw():
        assert seen.agent == "weather_agent"
        assert seen.all("x-outerloop-listener") == ["public"]
    models = wire.request("GET", "/v1/models", claim).json["data"]
    assert [model["id"] for model in models] == ["weather_agent"]


def test_envoys_own_headers_do_not_reach_an_agent(wire: Wire, agents: Agents, say: Say) -> None:
    lines = tuple(f"{name}: {value}" for name, value in ENVOY.items())
    assert wire.request(headers=lines, body=say()).agent == "flight_agent"
    (seen,) = agents.saw()
    sent = set(ENVOY.items())
    assert sent.isdisjoint({(name.lower(), value) for name, value in seen.headers})
    assert "spoofed" not in "".join(value for _, value in seen.headers)
    assert seen.target == CHAT


def test_envoys_own_headers_do_not_act(wire: Wire, agents: Agents, say: Say) -> None:
    lines = tuple(f"{name}: {value}" for name, value in ENVOY.items())
    slow = wire.request(headers=(*lines, "x-test-delay: 0.5"), body=say())
    assert slow.agent == "flight_agent"
    failing = wire.request(headers=(*lines, "x-test-status: 503"), body=say())
    assert failing.status == 503
    assert failing.json["agent"] == "flight_agent"
    assert len(agents.saw()) == 2


def test_other_headers_with_underscores_stay(wire: Wire, agents: Agents, say: Say) -> None:
    lines = ("x_tenant: acme", "My_Header: a", "outerloop_x: b", "x-out_erloop-agent: c")
    assert wire.request(headers=lines, body=say()).agent == "flight_agent"
    (seen,) = agents.saw()
    names = ("x_tenant", "my_header", "outerloop_x", "x-out_erloop-agent")
    assert [seen.header(name) for name in names] == ["acme", "a", "b", "c"]
