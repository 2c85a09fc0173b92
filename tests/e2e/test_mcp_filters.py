"""MCP filters through a real Envoy: sessions, forms of replies, failures."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process, Seen, Stack

SERVICE = str(Path(__file__).parents[1] / "support/mcp_service.py")
CHAT = "/v1/chat/completions"
YAML = """
version: v1
agents:
  - {{id: guarded, url: "{agent}"}}
  - {{id: three, url: "{agent}"}}
  - {{id: slow, url: "{agent}"}}
  - {{id: masked, url: "{agent}"}}
  - {{id: error, url: "{agent}"}}
  - {{id: flood, url: "{agent}"}}
  - {{id: skip, url: "{agent}"}}
  - {{id: toolless, url: "{agent}"}}
  - {{id: untaken, url: "{agent}"}}
  - {{id: nobody, url: "{agent}"}}
filters:
  - {{id: guard, url: "{mcp}", timeout: 5s}}
  - {{id: text, url: "{mcp}/mcp", timeout: 5s}}
  - {{id: again, url: "{mcp}", tool: guard, timeout: 5s}}
  - {{id: hang, url: "{mcp}", timeout: 500ms}}
  - {{id: events, url: "{mcp}", timeout: 5s}}
  - {{id: error, url: "{mcp}", timeout: 5s}}
  - {{id: flood, url: "{mcp}", timeout: 20s}}
  - {{id: error_skip, url: "{mcp}", tool: error, timeout: 5s, on_error: skip}}
  - {{id: toolless, url: "{mcp}", tool: nowhere, timeout: 5s}}
  - {{id: untaken, url: "{mcp}", tool: guard, timeout: 5s, on_error: skip}}
  - {{id: gone, url: "http://127.0.0.1:{dead}", timeout: 5s}}
limits: {{max_response_bytes: 1MiB}}
listeners:
  - name: main
    port: 0
    agents:
      - {{id: guarded, description: anything, input_filters: [guard]}}
      - {{id: three, description: others, input_filters: [guard, text, again]}}
      - {{id: slow, description: others, input_filters: [hang]}}
      - {{id: masked, description: others, output_filters: [events]}}
      - {{id: error, description: others, input_filters: [error]}}
      - {{id: flood, description: others, input_filters: [flood]}}
      - {{id: skip, description: others, input_filters: [error_skip]}}
      - {{id: toolless, description: others, input_filters: [toolless]}}
      - {{id: untaken, description: others, output_filters: [untaken]}}
      - {{id: nobody, description: others, input_filters: [gone]}}
"""


class Service:
    """The MCP server, which can be started anew on its port."""

    def __init__(self, start: type[Process], *options: str) -> None:
        self.start, self.options = start, options
        self.process = self.run("0")
        self.port = self.process.wait_line(str.isdigit)
        self.url = f"http://127.0.0.1:{self.port}"

    def run(self, port: str) -> Process:
        process = self.start(sys.executable, SERVICE, port, *self.options)
        process.wait_line(str.isdigit)
        return process

    def restart(self) -> None:
        self.process.stop()
        self.process = self.run(self.port)

    def calls(self) -> dict[str, int]:
        return dict(httpx.get(f"{self.url}/posts", timeout=20).json())


@pytest.fixture(scope="module", params=["events", "json", "session"])
def service(request: pytest.FixtureRequest, start_process: type[Process]) -> Iterator[Service]:
    service = Service(start_process, request.param)
    yield service
    service.process.stop()


@pytest.fixture(scope="module")
def stack(
    run_module_stack: Callable[..., Stack],
    echo_agents: dict[str, EchoAgent],
    service: Service,
    free_ports: Callable[[int], list[int]],
) -> Stack:
    agent = echo_agents["weather_agent"].url
    return run_module_stack(YAML.format(agent=agent, mcp=service.url, dead=free_ports(1)[0]))


def post(stack: Stack, model: str, text: str = "hello", **headers: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return httpx.post(stack.url + CHAT, json=body, headers=headers, timeout=60)


def content(answer: httpx.Response, seen: Callable[[dict[str, Any]], Seen]) -> str:
    assert answer.status_code == 200, answer.text
    return str(json.loads(seen(answer.json()).body)["messages"][-1]["content"])


def test_three_filters_are_three_calls(
    stack: Stack, service: Service, seen: Callable[[dict[str, Any]], Seen]
) -> None:
    assert content(post(stack, "three"), seen) == f"hello guarded {CHAT} as text guarded {CHAT}"
    before = service.calls()
    for _ in range(5):
        post(stack, "three")
    after = service.calls()
    assert after.pop("tools/call") - before.pop("tools/call") == 15
    assert after == before  # no session was opened, no tool listed


def test_a_lost_session_is_opened_anew(
    stack: Stack, service: Service, seen: Callable[[dict[str, Any]], Seen]
) -> None:
    content(post(stack, "guarded"), seen)
    service.restart()
    for _ in range(3):
        assert content(post(stack, "guarded"), seen) == f"hello guarded {CHAT}"
    # Under a session that it does not know the server refuses the first of them.
    assert service.calls()["tools/call"] == (4 if "session" in service.options else 3)


def test_a_tool_that_hangs_is_too_slow(
    stack: Stack, refused: Callable[..., dict[str, Any]], seen: Callable[[dict[str, Any]], Seen]
) -> None:
    for _ in range(2):
        error = refused(post(stack, "slow"), CHAT, 504, "filter_failed")
        assert error["filter"] == "hang"
    assert content(post(stack, "guarded"), seen) == f"hello guarded {CHAT}"


def test_a_tool_that_is_not_there_is_named_in_the_log(
    stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    refused(post(stack, "toolless"), CHAT, 502, "filter_failed")
    assert "the MCP server has no tool nowhere" in stack.process.output


def test_a_tool_that_cannot_take_what_it_is_given(stack: Stack) -> None:
    """An event is a text: a tool that wants an object has failed, which may be skipped."""
    answer = post(stack, "untaken", **{"x-test-sse": "2,0"})
    assert answer.text.count("data: ") == 3


def test_a_server_that_is_not_there_is_a_failure(
    stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    for _ in range(2):
        refused(post(stack, "nobody"), CHAT, 502, "filter_failed")


@pytest.mark.parametrize("model", ["error", "flood"])
def test_an_error_of_the_protocol_is_a_failure(
    model: str,
    stack: Stack,
    refused: Callable[..., dict[str, Any]],
    seen: Callable[[dict[str, Any]], Seen],
) -> None:
    answer = post(stack, model)
    refused(answer, CHAT, 502, "filter_failed")
    assert "secret" not in answer.text + stack.process.output
    assert content(post(stack, "skip"), seen) == "hello"
    assert content(post(stack, "guarded"), seen) == f"hello guarded {CHAT}"


def test_an_answer_and_its_events(stack: Stack) -> None:
    whole = {"choices": [{"message": {"content": "a secret"}}]}
    answer = post(stack, "masked", **{"x-test-body": json.dumps(json.dumps(whole))})
    assert answer.json()["choices"][0]["message"]["content"] == "a [gone]"
    streamed = post(stack, "masked", **{"x-test-sse": "3,0"})
    assert streamed.text.count("data: ") == 4
    assert streamed.text.endswith("data: [DONE]\n\n")
