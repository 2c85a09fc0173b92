"""Circuit breakers: what is too much is refused at once, and the rest passes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack
    from tests.e2e.life.conftest import Host, Load

YAML = """
version: v1
agents:
  - {{id: running, url: "{url}", circuit_breaker: {{max_requests: 1}}}}
  - id: waiting
    url: {url}
    circuit_breaker: {{max_connections: 1, max_pending_requests: 1}}
listeners:
  - {{name: main, port: 0, agents: [{{id: running}}, {{id: waiting}}]}}
"""
CHAT = "/v1/chat/completions"
HELD = {"x-request-id": "held", "x-test-hold": "now"}

LoadOf = Callable[[str], "Load"]
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture(scope="module")
def host(run_host: Callable[[str], Host]) -> Host:
    return run_host("a")


@pytest.fixture(scope="module")
def stack(run_module_stack: Callable[..., Stack], host: Host) -> Stack:
    return run_module_stack(YAML.format(url=host.url))


async def test_more_requests_than_may_run_are_refused_at_once(
    load: LoadOf, host: Host, eventually: Eventually
) -> None:
    asked = load("running")
    async with asyncio.TaskGroup() as group:
        held = group.create_task(asked.ask(HELD))
        await eventually(lambda: host.running() == ["held"])
        refused = await asked.send(20)
        # Only now: nobody waited for the one that is held.
        host.release("held")
    assert {(reply.status, reply.error) for reply in refused} == {(503, "overloaded")}
    assert held.result().status == 200
    assert [seen.header("x-request-id") for seen in host.requests()] == ["held"]
    assert (await asked.ask()).status == 200


class OneConnection:
    """Requests over one connection, and so in one of Envoy's threads.

    Each thread may always have a connection of its own to an agent, whatever the breaker says.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.answers: dict[int, tuple[str, str]] = {}
        self._connection = connection
        self._protocol = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        )
        self._protocol.initiate_connection()

    def ask(self, headers: dict[str, str] | None = None) -> int:
        stream = self._protocol.get_next_available_stream_id()
        fields = {":method": "POST", ":scheme": "http", ":authority": "x", ":path": CHAT}
        body = {"model": "waiting", "messages": [{"role": "user", "content": "hello"}]}
        self._protocol.send_headers(stream, [*(fields | (headers or {})).items()])
        self._protocol.send_data(stream, json.dumps(body).encode(), end_stream=True)
        self._connection.sendall(self._protocol.data_to_send())
        return stream

    def until(self, answers: int) -> None:
        """Read until so many have been answered, each with a status and an `x-outerloop-error`."""
        while len(self.answers) < answers:
            for event in self._protocol.receive_data(self._connection.recv(65_536)):
                if isinstance(event, h2.events.ResponseReceived):
                    told = {str(name): str(value) for name, value in event.headers}
                    self.answers[event.stream_id] = (
                        told[":status"],
                        told.get("x-outerloop-error", ""),
                    )
            self._connection.sendall(self._protocol.data_to_send())


@pytest.fixture
def one_connection(stack: Stack) -> Iterator[OneConnection]:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=60) as connection:
        yield OneConnection(connection)


async def test_more_requests_than_may_wait_for_a_connection_are_refused_at_once(
    one_connection: OneConnection, host: Host, eventually: Eventually
) -> None:
    host.requests()
    held = one_connection.ask(HELD)
    await eventually(lambda: host.running() == ["held"])
    asked = [one_connection.ask() for _ in range(5)]
    one_connection.until(answers=4)
    assert set(one_connection.answers.values()) == {("503", "overloaded")}
    assert set(one_connection.answers) < set(asked)
    assert len(host.requests()) == 1
    host.release("held")
    one_connection.until(answers=6)
    assert one_connection.answers[held] == ("200", "")
    assert sorted(one_connection.answers.values())[:2] == [("200", "")] * 2
