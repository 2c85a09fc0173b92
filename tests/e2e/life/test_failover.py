"""A second group of hosts, and hosts that say themselves that they are sick."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack
    from tests.e2e.life.conftest import Host, Load

YAML = """
version: v1
agents:
  - id: plain
    endpoints: ["http://127.0.0.1:{a}", "http://127.0.0.1:{b}"]
    failover: ["http://127.0.0.1:{c}"]
    outlier_detection: {{interval: 200ms, base_ejection_time: 500ms}}
  - id: checked
    endpoints: ["http://127.0.0.1:{a}", "http://127.0.0.1:{b}"]
    failover: ["http://127.0.0.1:{c}"]
    outlier_detection: {{interval: 200ms, base_ejection_time: 500ms}}
    health_check: {{interval: 200ms}}
  - id: only_checked
    endpoints: ["http://127.0.0.1:{a}", "http://127.0.0.1:{b}"]
    failover: ["http://127.0.0.1:{c}"]
    outlier_detection: {{consecutive_gateway_failure: 0}}
    health_check: {{interval: 200ms}}
  - id: lasting
    endpoints: ["http://127.0.0.1:{a}", "http://127.0.0.1:{b}"]
    failover: ["http://127.0.0.1:{c}"]
    outlier_detection: {{interval: 200ms, base_ejection_time: 120s}}
listeners:
  - name: main
    port: 0
    agents: [{{id: plain}}, {{id: checked}}, {{id: only_checked}}, {{id: lasting}}]
"""

LoadOf = Callable[[str], "Load"]
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture(scope="module")
def all_hosts(run_host: Callable[[str], Host]) -> dict[str, Host]:
    return {name: run_host(name) for name in "abc"}


@pytest.fixture
def hosts(all_hosts: dict[str, Host]) -> Iterator[dict[str, Host]]:
    """All alive and well."""
    yield all_hosts
    for host in all_hosts.values():
        host.revive()
        host.health(200)
        host.requests()


@pytest.fixture(scope="module")
def stack(run_module_stack: Callable[..., Stack], all_hosts: dict[str, Host]) -> Stack:
    ports = {name: host.port for name, host in all_hosts.items()}
    return run_module_stack(YAML.format(**ports))


@pytest.mark.parametrize("agent", ["plain", "checked", "only_checked"])
async def test_the_second_group_serves_while_the_first_is_down(
    load: LoadOf, hosts: dict[str, Host], eventually: Eventually, agent: str
) -> None:
    first = [hosts["a"], hosts["b"]]
    asked = load(agent)
    await asked.until_all_from("a", "b")
    async with asked.going_on() as replies:
        await eventually(lambda: {reply.host for reply in replies} == {"a", "b"})
        for host in first:
            host.kill()
        dead = time.monotonic()
        await eventually(lambda: any(reply.began > dead + 1.5 for reply in replies))
        before_return = time.monotonic()
        for host in first:
            await asyncio.to_thread(host.revive)
        await eventually(lambda: {reply.host for reply in replies[-100:]} == {"a", "b"})
    by_time = sorted(replies, key=lambda reply: reply.began)
    after = [reply for reply in by_time if reply.began > dead + 1]
    assert {(reply.status, reply.error) for reply in after} == {(200, None)}
    assert {reply.host for reply in after if reply.ended < before_return} == {"c"}


async def test_while_one_host_lives_the_second_group_gets_only_retries(
    stack: Stack,
    load: LoadOf,
    hosts: dict[str, Host],
    healthy: Callable[[str], float],
) -> None:
    asked = load("lasting")
    hosts["a"].kill()
    replies = []
    while healthy("lasting") == 3:
        replies += await asked.send(20)
    assert {reply.status for reply in replies} == {200}
    there = {str(seen.header("x-request-id")) for seen in hosts["c"].requests()}
    attempts = {each: stack.access_log(each)["attempts"] for each in there}
    assert set(attempts.values()) == {2}
    # The dead host is left out now: nothing is tried twice any more.
    replies = await asked.send(200)
    assert {(reply.status, reply.host) for reply in replies} == {(200, "b")}
    assert hosts["c"].requests() == []


@pytest.mark.parametrize("agent", ["checked", "only_checked"])
async def test_a_sick_host_gets_no_requests_until_it_is_well(
    load: LoadOf,
    hosts: dict[str, Host],
    agent: str,
) -> None:
    asked = load(agent)
    await asked.until_all_from("a", "b")
    hosts["a"].health(503)
    await asked.until_all_from("b")
    hosts["a"].requests()
    replies = await asked.send(200)
    assert {(reply.status, reply.host) for reply in replies} == {(200, "b")}
    assert hosts["a"].requests() == []
    hosts["b"].health(503)
    await asked.until_all_from("c")
    replies = await asked.send(200)
    assert {(reply.status, reply.host) for reply in replies} == {(200, "c")}
    hosts["a"].health(200)
    await asked.until_all_from("a")
