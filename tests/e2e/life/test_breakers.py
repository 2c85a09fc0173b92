"""Circuit breakers: what is too much is refused at once, and the rest passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import httpx
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


@pytest.fixture
async def one_connection(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """All requests over one connection, and so in one of Envoy's threads.

    Each thread may always have a connection of its own, whatever the breaker says.
    """
    async with httpx.AsyncClient(
        base_url=stack.url, http1=False, http2=True, timeout=60, verify=False
    ) as client:
        # From the first answer on it knows how many streams it may open.
        assert (await client.get("/healthz")).status_code == 200
        yield client


async def test_more_requests_than_may_wait_for_a_connection_are_refused_at_once(
    one_connection: httpx.AsyncClient, host: Host, eventually: Eventually
) -> None:
    body: dict[str, Any] = {"model": "waiting", "messages": [{"role": "user", "content": "hello"}]}
    answers: list[httpx.Response] = []

    async def ask(headers: dict[str, str] | None = None) -> httpx.Response:
        answer = await one_connection.post(CHAT, json=body, headers=headers)
        answers.append(answer)
        return answer

    host.requests()
    async with asyncio.TaskGroup() as group:
        held = group.create_task(ask(HELD))
        await eventually(lambda: host.running() == ["held"])
        for _ in range(5):
            group.create_task(ask())
        await eventually(lambda: len(answers) == 4)
        refused = list(answers)
        assert len(host.requests()) == 1
        host.release("held")
    told = {(answer.status_code, answer.headers["x-outerloop-error"]) for answer in refused}
    assert told == {(503, "overloaded")}
    assert held.result().status_code == 200
    assert [answer.status_code for answer in answers[4:]] == [200, 200]
