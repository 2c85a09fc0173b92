"""Filters of requests through a real Envoy: HTTP services and tools of MCP in own processes."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process, Seen, Stack

SERVICE = str(Path(__file__).parents[1] / "support/filter_service.py")
CHAT = "/v1/chat/completions"
YAML = """
version: v1
agents:
  - {{id: plain, url: "{agent}"}}
  - {{id: tooled, url: "{agent}"}}
  - {{id: lost, url: "{agent}"}}
  - {{id: skipping, url: "{agent}"}}
  - {{id: down, url: "{agent}"}}
  - {{id: down_skip, url: "{agent}"}}
  - {{id: shadowed, url: "{agent}"}}
filters:
  - {{id: guard, url: "{http}", type: http, timeout: 2s, forward_headers: [x-tenant]}}
  - {{id: tool, url: "{mcp}", tool: guard}}
  - {{id: lost, url: "{mcp}", tool: nowhere}}
  - {{id: skip, url: "{http}", type: http, timeout: 2s, on_error: skip}}
  - {{id: down, url: "http://127.0.0.1:{dead}", type: http}}
  - {{id: down_skip, url: "http://127.0.0.1:{dead}", on_error: skip}}
  - {{id: shadow, url: "{http}", type: http, timeout: 2s, mode: shadow}}
  - {{id: manners, type: builtin, use: rewrite, options: {{system: Be kind.}}}}
limits: {{max_response_bytes: 1MiB}}
listeners:
  - name: guarded
    port: 0
    input_filters: [guard]
    agents:
      - {{id: plain, description: anything}}
      - {{id: tooled, description: tools, filter_chain: [tool, manners]}}
      - {{id: lost, description: lost, input_filters: [lost]}}
  - name: open
    port: 0
    agents:
      - {{id: skipping, description: anything, input_filters: [skip]}}
      - {{id: down, description: gone, input_filters: [down]}}
      - {{id: down_skip, description: gone, input_filters: [down_skip]}}
      - {{id: shadowed, description: others, input_filters: [shadow]}}
"""


@pytest.fixture(scope="module")
def services(start_process: type[Process]) -> Iterator[dict[str, str]]:
    processes = {kind: start_process(sys.executable, SERVICE, kind) for kind in ("http", "mcp")}
    yield {
        kind: f"http://127.0.0.1:{process.wait_line(str.isdigit)}"
        for kind, process in processes.items()
    }
    for process in processes.values():
        process.stop()


@pytest.fixture(scope="module")
def stack(
    run_module_stack: Callable[..., Stack],
    echo_agents: dict[str, EchoAgent],
    services: dict[str, str],
    free_ports: Callable[[int], list[int]],
) -> Stack:
    agent = echo_agents["weather_agent"].url
    return run_module_stack(YAML.format(agent=agent, dead=free_ports(1)[0], **services))


def post(stack: Stack, listener: str, model: str, text: str, **headers: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    url = stack.listeners[listener] + CHAT
    return httpx.post(url, json=body, headers=headers, timeout=60)


def arrived(answer: httpx.Response, seen: Callable[[dict[str, Any]], Seen]) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return dict(json.loads(seen(answer.json()).body))


def test_listener_and_agent_filters_run_in_order(
    stack: Stack, seen: Callable[[dict[str, Any]], Seen]
) -> None:
    answer = post(stack, "guarded", "tooled", "hello")
    system, message = arrived(answer, seen)["messages"]
    assert message["content"] == f"hello filtered by tool at {CHAT}"
    assert system == {"role": "system", "content": "Be kind."}
    line = stack.access_log(answer.headers["x-request-id"])
    assert line["filters"] == "guard=changed,tool=changed,manners=changed"


@pytest.mark.parametrize("text", ["empty body", "nothing new"])
def test_an_empty_answer_changes_nothing(
    text: str, stack: Stack, seen: Callable[[dict[str, Any]], Seen]
) -> None:
    body = arrived(post(stack, "guarded", "plain", text), seen)
    assert body["messages"][0]["content"] == text


def test_a_refusal_is_the_filters(
    stack: Stack, refused: Callable[..., dict[str, Any]], echo_agents: dict[str, EchoAgent]
) -> None:
    echo_agents["weather_agent"].forget()
    answer = post(stack, "guarded", "tooled", "refuse this")
    error = refused(answer, CHAT, 422, "filter_denied")
    assert (error["filter"], error["message"]) == ("guard", "not here")
    line = stack.access_log(answer.headers["x-request-id"])
    assert (line["filters"], line["error"]) == ("guard=denied", "filter_denied")
    error = refused(post(stack, "guarded", "tooled", "tool-refuses"), CHAT, 400, "filter_denied")
    assert error["filter"] == "tool"
    assert echo_agents["weather_agent"].requests() == []


FAILURES = {
    "status 500": 502,
    "status 302": 502,
    "nonsense": 502,
    "shape": 502,
    "flood": 502,
    "cut": 502,
    "slow": 504,
}


@pytest.mark.parametrize("text", FAILURES)
def test_a_failure_fails_closed_unless_skipped(
    text: str,
    stack: Stack,
    refused: Callable[..., dict[str, Any]],
    seen: Callable[[dict[str, Any]], Seen],
) -> None:
    error = refused(post(stack, "guarded", "plain", text), CHAT, FAILURES[text], "filter_failed")
    assert error["filter"] == "guard"
    body = arrived(post(stack, "open", "skipping", text), seen)
    assert body["messages"][0]["content"] == text


def test_a_service_that_is_not_there(
    stack: Stack, refused: Callable[..., dict[str, Any]], seen: Callable[[dict[str, Any]], Seen]
) -> None:
    refused(post(stack, "open", "down", "hello"), CHAT, 502, "filter_failed")
    body = arrived(post(stack, "open", "down_skip", "hello"), seen)
    assert body["messages"][0]["content"] == "hello"


def test_a_tool_that_is_not_there_is_a_failure(
    stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    error = refused(post(stack, "guarded", "lost", "hello"), CHAT, 502, "filter_failed")
    assert error["filter"] == "lost"


@pytest.mark.parametrize("text", ["refuse this", "hello", "status 500"])
def test_a_shadow_changes_nothing(
    text: str, stack: Stack, seen: Callable[[dict[str, Any]], Seen]
) -> None:
    answer = post(stack, "open", "shadowed", text)
    assert arrived(answer, seen)["messages"][0]["content"] == text
    assert stack.access_log(answer.headers["x-request-id"])["filters"].startswith("shadow=shadow_")


def test_a_client_that_hangs_up_ends_its_filter_and_is_recorded(stack: Stack) -> None:
    body = {"model": "plain", "messages": [{"role": "user", "content": "slow"}]}
    headers = {"x-request-id": "hung-up"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(stack.listeners["guarded"] + CHAT, json=body, headers=headers, timeout=0.7)
    deadline = time.monotonic() + 20
    shown: list[dict[str, Any]] = []
    while not shown and time.monotonic() < deadline:
        decisions = httpx.get(f"{stack.admin}/decisions", timeout=20).json()
        shown = [each for each in decisions if each["request_id"] == "hung-up"]
    [decision] = shown
    assert (decision["outcome"], decision["agent"]) == ("cancelled", None)
    assert [each["outcome"] for each in decision["filters"]] == ["failed"]


def test_credentials_do_not_reach_a_filter(stack: Stack, services: dict[str, str]) -> None:
    sent = {"authorization": "Bearer k", "cookie": "c=1", "x-tenant": "acme"}
    post(stack, "guarded", "plain", "hello", **sent)
    last = httpx.get(f"{services['http']}/calls").json()[-1]
    assert last["x-tenant"] == "acme"
    assert last["x-outerloop-listener"] == "guarded"
    assert {"x-request-id", "traceparent"} <= last.keys()
    assert {"authorization", "cookie"}.isdisjoint(last)
