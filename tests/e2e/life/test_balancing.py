"""Several hosts of one agent: who gets what, and what becomes of it when one dies."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack
    from tests.e2e.life.conftest import Host, Load, Reply

POLICIES = ("round_robin", "least_request", "random", "ring_hash", "maglev")
# Hosts that are soon left out and soon tried again, and such as are never left out.
PAIR = """
  - id: {policy}
    endpoints: ["http://127.0.0.1:{a}", "http://127.0.0.1:{b}"]
    load_balancing: {policy}
    outlier_detection: {{interval: 200ms, base_ejection_time: 500ms}}
  - id: unwatched_{policy}
    endpoints: ["http://127.0.0.1:{a}", "http://127.0.0.1:{b}"]
    load_balancing: {policy}
    outlier_detection: {{consecutive_gateway_failure: 0}}
"""
NAMED = """
  - id: named
    endpoints: ["http://localhost:{a}", "http://other.localhost:{b}"]
    load_balancing: round_robin
"""
MOVED = """
  - id: moved
    endpoints: ["http://127.0.0.1:{}", "http://127.0.0.1:{}"]
    health_check: {{path: /healthz, interval: 100ms}}
    retries: {{num_retries: 0}}
"""
STICKY = """
  - id: sticky_{policy}
    endpoints: ["http://127.0.0.1:{a}", "http://127.0.0.1:{b}", "http://127.0.0.1:{c}"]
    load_balancing: {policy}
    session_affinity: {{header: x-user-id}}
"""
CALLERS = [{"x-user-id": f"user-{number}"} for number in range(100)]

LoadOf = Callable[[str], "Load"]
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture(scope="module")
def all_hosts(run_host: Callable[[str], Host]) -> dict[str, Host]:
    return {name: run_host(name) for name in "abc"}


@pytest.fixture
def hosts(all_hosts: dict[str, Host]) -> Iterator[dict[str, Host]]:
    """Hosts that all live."""
    yield all_hosts
    for host in all_hosts.values():
        host.revive()


@pytest.fixture(scope="module")
def yaml(all_hosts: dict[str, Host]) -> Callable[..., str]:
    ports = {name: host.port for name, host in all_hosts.items()}
    agents = [NAMED.format(**ports)]
    agents += [PAIR.format(policy=policy, **ports) for policy in POLICIES]
    agents += [STICKY.format(policy=policy, **ports) for policy in ("ring_hash", "maglev")]
    ids = [line.split()[-1] for line in "".join(agents).splitlines() if "- id: " in line]
    offered = ", ".join(f"{{id: {each}}}" for each in ["moved", *ids])

    def make(more: str = "", moved: str = "ab") -> str:
        listener = f"listeners: [{{name: main, port: 0, agents: [{offered}]}}]"
        moves = MOVED.format(*(ports[host] for host in moved))
        return "\n".join(["version: v1\nagents:", moves, *agents, more, listener])

    return make


@pytest.fixture(scope="module")
def stack(run_module_stack: Callable[..., Stack], yaml: Callable[..., str]) -> Stack:
    return run_module_stack(yaml())


async def test_two_hosts_share_the_requests(load: LoadOf) -> None:
    replies = await load("round_robin").send(2000)
    assert {reply.status for reply in replies} == {200}
    shares = Counter(reply.host for reply in replies)
    assert shares["a"] + shares["b"] == 2000
    assert abs(shares["a"] - shares["b"]) <= 200


async def test_names_of_hosts_are_resolved(load: LoadOf, hosts: dict[str, Host]) -> None:
    """`*.localhost` needs no server of names (RFC 6761), but Envoy asks its resolver."""
    for host in hosts.values():
        host.requests()
    replies = await load("named").send(20)
    assert {reply.status for reply in replies} == {200}
    for name, host in ("localhost", hosts["a"]), ("other.localhost", hosts["b"]):
        assert {seen.header("host") for seen in host.requests()} == {f"{name}:{host.port}"}


@pytest.mark.parametrize(
    "way", [("round_robin", 20), ("least_request", 20), ("least_request", 100)]
)
async def test_with_a_host_dies_only_what_was_sent_to_it(
    load: LoadOf,
    hosts: dict[str, Host],
    healthy: Callable[[str], float],
    eventually: Eventually,
    way: tuple[str, int],
) -> None:
    policy, connections = way
    asked, victim = load(policy), hosts["a"]
    await asked.until_all_from("a", "b")
    async with asked.going_on(at_once=connections) as replies:
        await eventually(lambda: len(replies) > 300)
        victim.kill()
        dead = time.monotonic()
        await eventually(lambda: healthy(policy) == 1)
        await asyncio.to_thread(victim.revive)
        back = time.monotonic()
        await eventually(lambda: any(r.host == "a" and r.began > back for r in replies))
        await eventually(lambda: healthy(policy) == 2)
    failed = [reply for reply in replies if reply.status != 200]
    assert {(reply.status, reply.error) for reply in failed} <= {(503, "upstream_reset")}
    assert [reply for reply in failed if reply.began > dead] == []
    lines = [asked.stack.access_log(reply.request_id) for reply in failed]
    assert {line["upstream_host"] for line in lines} <= {f"127.0.0.1:{victim.port}"}


async def test_a_dead_host_fails_nobody_though_it_is_tried_again_and_again(
    load: LoadOf, hosts: dict[str, Host]
) -> None:
    hosts["a"].kill()
    for policy in POLICIES:
        # Nothing runs at a dead host: who prefers idle hosts would choose it time after time.
        replies = await load(f"unwatched_{policy}").send(400)
        assert {(reply.status, reply.host) for reply in replies} == {(200, "b")}, policy


@pytest.mark.parametrize("policy", ["ring_hash", "maglev"])
async def test_a_caller_stays_on_its_host(
    load: LoadOf, yaml: Callable[..., str], reload: Callable[[str], Awaitable[None]], policy: str
) -> None:
    callers = load(f"sticky_{policy}")
    first, second = [await callers.send(CALLERS) for _ in range(2)]
    await reload(yaml(f"  - {{id: beside_{policy}, url: 'http://127.0.0.1:1'}}"))
    third = await callers.send(CALLERS)
    homes = [reply.host for reply in first]
    assert set(homes) == {"a", "b", "c"}
    assert [reply.host for reply in second] == homes
    assert [reply.host for reply in third] == homes


async def test_hosts_are_changed_under_load(
    load: LoadOf,
    yaml: Callable[..., str],
    reload: Callable[[str], Awaitable[None]],
) -> None:
    asked = load("moved")
    await asked.until_all_from("a", "b")
    async with asked.going_on(at_once=5) as replies:
        for hosts in ("bc", "ca", "ab"):
            await reload(yaml(moved=hosts))
            since = time.monotonic()
            # The new one is checked before anything is sent to it.
            while _from(replies, since) != set(hosts):
                assert _from(replies, since) <= set(hosts)
                assert time.monotonic() < since + 30
                await asyncio.sleep(0.02)
    assert {reply.status for reply in replies} == {200}


def _from(replies: list[Reply], since: float) -> set[str]:
    return {reply.host for reply in replies if reply.began > since}
