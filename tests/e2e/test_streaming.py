"""Streams: shown by what waits for what, not by the clock."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Stack

BODY = {"model": "flight_agent", "messages": [{"role": "user", "content": "hello"}], "stream": True}
DEADLINE = 30.0


def held(request_id: str, events: int = 3) -> dict[str, str]:
    """Ask for a stream that waits after its first event until the test releases it."""
    return {"x-request-id": request_id, "x-test-sse": f"{events},0", "x-test-hold": "now"}


def numbers(lines: Iterator[str]) -> Iterator[int]:
    """Read the events of an echo agent."""
    for line in lines:
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))["number"]


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_the_first_event_arrives_while_the_agent_waits(
    http: httpx.Client, travel: Stack, echo_agents: dict[str, EchoAgent], path: str
) -> None:
    name = f"first-event-{path}".replace("/", "-")
    with http.stream("POST", travel.url + path, json=BODY, headers=held(name)) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["x-outerloop-agent"] == "flight_agent"
        events = numbers(answer.iter_lines())
        assert next(events) == 0
        # The agent sends the second event only after the client has seen the first one.
        assert echo_agents["flight_agent"].running() == [name]
        echo_agents["flight_agent"].release(name)
        assert list(events) == [1, 2]


def test_the_answers_headers_arrive_while_the_agent_waits(
    http: httpx.Client, travel: Stack, echo_agents: dict[str, EchoAgent]
) -> None:
    other = held("neighbour")
    with http.stream("POST", travel.url + "/v1/messages", json=BODY, headers=other) as waiting:
        assert waiting.status_code == 200
        # A stream that waits holds nobody up.
        assert http.post(travel.url + "/v1/messages", json=BODY).status_code == 200
        echo_agents["flight_agent"].release("neighbour")
        assert waiting.read().endswith(b"data: [DONE]\n\n")


def test_a_stream_survives_the_death_of_the_processor(
    http: httpx.Client,
    run_stack: Callable[..., Stack],
    travel_yaml: Callable[..., str],
    echo_agents: dict[str, EchoAgent],
) -> None:
    stack = run_stack(travel_yaml())
    url = stack.url + "/v1/chat/completions"
    with http.stream("POST", url, json=BODY, headers=held("survivor", 50)) as answer:
        events = numbers(answer.iter_lines())
        assert next(events) == 0
        pid = worker(stack)
        os.kill(pid, signal.SIGKILL)
        # Another worker has taken over, so the death is not only under way.
        assert eventually(lambda: worker(stack) not in {pid, None})
        echo_agents["flight_agent"].release("survivor")
        assert list(events) == list(range(1, 50))
    assert eventually(lambda: http.post(url, json=BODY).status_code == 200)


def worker(stack: Stack) -> Any:
    """Return the pid of the only worker once it serves."""
    ready = stack.ready()
    return ready["workers"][0]["pid"] if ready["status"] == "ready" else None


def test_a_client_that_leaves_a_stream_ends_the_agents_request(
    http: httpx.Client, travel: Stack, echo_agents: dict[str, EchoAgent]
) -> None:
    agent, url = echo_agents["flight_agent"], travel.url + "/v1/chat/completions"
    with http.stream("POST", url, json=BODY, headers=held("leaves")) as answer:
        events = numbers(answer.iter_lines())
        assert next(events) == 0
        assert "leaves" in agent.running()
    assert eventually(lambda: "leaves" not in agent.running())


def test_a_client_that_does_not_wait_ends_the_agents_request(
    travel: Stack, echo_agents: dict[str, EchoAgent]
) -> None:
    agent, body = echo_agents["flight_agent"], json.dumps(BODY)
    request = (
        f"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        f"x-request-id: gives-up\r\nx-test-hold: now\r\n\r\n{body}"
    )
    with socket.create_connection(("127.0.0.1", travel.port)) as connection:
        connection.sendall(request.encode())
        assert eventually(lambda: "gives-up" in agent.running())
    assert eventually(lambda: "gives-up" not in agent.running())


def test_an_agent_that_breaks_off_ends_the_stream(
    http: httpx.Client, travel: Stack, echo_agents: dict[str, EchoAgent]
) -> None:
    wish = held("broken") | {"x-test-abort": "after the first event"}
    url = travel.url + "/v1/chat/completions"
    with http.stream("POST", url, json=BODY, headers=wish) as answer:
        events = numbers(answer.iter_lines())
        assert next(events) == 0
        echo_agents["flight_agent"].release("broken")
        with pytest.raises(httpx.RemoteProtocolError):
            list(events)
