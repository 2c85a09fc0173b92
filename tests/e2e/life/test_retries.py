"""What is sent again, where to, and what never is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import aiohttp
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Seen, Stack
    from tests.e2e.life.conftest import Host, Load

OPTIONS = {
    "default": "retries: {num_retries: 1}",
    "never": "retries: {num_retries: 0, retry_on: [503, reset, gateway-error]}",
    "status": "retries: {retry_on: [503]}",
    "twice": "retries: {num_retries: 2, retry_on: [503]}",
    "reset": "retries: {retry_on: [reset]}",
    "gateway": "retries: {retry_on: [gateway-error]}",
    "patient": "retries: {per_try_timeout: 1s}",
    "patient_status": "retries: {retry_on: [503], per_try_timeout: 1s}",
    "patient_reset": "retries: {retry_on: [reset], per_try_timeout: 1s}",
    "patient_gateway": "retries: {retry_on: [gateway-error], per_try_timeout: 1s}",
    "timed": "timeout: 1s, retries: {retry_on: [reset, gateway-error]}",
    "silent": "idle_timeout: 1s, retries: {retry_on: [reset, gateway-error]}",
    "failover": "failover: ['http://127.0.0.1:%(c)s'], "
    "retries: {retry_on: [503, reset], per_try_timeout: 1s}",
}
AGENT = (
    "  - {id: %(id)s, endpoints: ['http://127.0.0.1:%(a)s', 'http://127.0.0.1:%(b)s'],"
    " load_balancing: round_robin, outlier_detection: {consecutive_gateway_failure: 0}, "
)
SICK = {"x-test-status": "503"}
BROKEN = {"x-test-abort": "now"}
HANGING = {"x-test-hold": "now"}
RESET = "upstream_reset"
LATE = "upstream_timeout"

LoadOf = Callable[[str], "Load"]
Wish = Mapping[str, str]


@pytest.fixture(scope="module")
def all_hosts(run_host: Callable[[str], Host]) -> dict[str, Host]:
    return {name: run_host(name) for name in "abc"}


@pytest.fixture
def hosts(all_hosts: dict[str, Host]) -> dict[str, Host]:
    """Hosts that nobody has asked yet."""
    for host in all_hosts.values():
        host.requests()
    return all_hosts


@pytest.fixture(scope="module")
def stack(run_module_stack: Callable[..., Stack], all_hosts: dict[str, Host]) -> Stack:
    """Agents that differ in when they are asked again; none of their hosts is ever left out."""
    ports = {name: host.port for name, host in all_hosts.items()}
    agents = "\n".join(
        (AGENT + options + "}") % {"id": agent, **ports} for agent, options in OPTIONS.items()
    )
    offered = ", ".join(f"{{id: {agent}}}" for agent in OPTIONS)
    listener = f"listeners: [{{name: main, port: 0, agents: [{offered}]}}]"
    return run_module_stack(f"version: v1\nagents:\n{agents}\n{listener}\n")


def tries(hosts: dict[str, Host]) -> Counter[str]:
    """How often each host was asked since last time."""
    return Counter({name: len(host.requests()) for name, host in hosts.items()})


@pytest.mark.parametrize(
    ("agent", "wish", "outcome"),
    [
        # A request to an agent is not idempotent: what may have been read is not said again ...
        ("default", SICK, (503, None, 1)),
        ("default", {"x-test-status": "500"}, (500, None, 1)),
        ("default", {"x-test-status": "502"}, (502, None, 1)),
        ("default", {"x-test-status": "429"}, (429, None, 1)),
        ("default", BROKEN, (503, RESET, 1)),
        ("patient", HANGING, (504, LATE, 1)),
        ("never", SICK, (503, None, 1)),
        ("never", BROKEN, (503, RESET, 1)),
        # ... unless the keys say so, ...
        ("status", SICK, (503, None, 2)),
        ("twice", SICK, (503, None, 3)),
        ("reset", BROKEN, (503, RESET, 2)),
        ("gateway", SICK, (503, None, 2)),
        ("gateway", {"x-test-status": "504"}, (504, None, 2)),
        ("patient_reset", HANGING, (504, LATE, 2)),
        ("patient_gateway", HANGING, (504, LATE, 2)),
        # ... and then only what they say.
        ("status", {"x-test-status": "500"}, (500, None, 1)),
        ("status", {"x-test-status": "502"}, (502, None, 1)),
        ("status", BROKEN, (503, RESET, 1)),
        ("reset", SICK, (503, None, 1)),
        ("gateway", {"x-test-status": "500"}, (500, None, 1)),
        ("patient_status", HANGING, (504, LATE, 1)),
        # The time of the whole exchange is over for all tries together.
        ("timed", HANGING, (504, LATE, 1)),
        ("silent", HANGING, (504, LATE, 1)),
    ],
)
async def test_what_fails_everywhere_is_tried_as_often_as_the_keys_say(
    load: LoadOf,
    hosts: dict[str, Host],
    agent: str,
    wish: Wish,
    outcome: tuple[int, str | None, int],
) -> None:
    status, error, times = outcome
    reply = await load(agent).ask(wish)
    assert (reply.status, reply.error) == (status, error)
    tried = tries(hosts)
    assert tried.total() == times
    # Each time elsewhere, as long as there is one that was not asked.
    assert len(+tried) == min(times, 2)


@pytest.mark.parametrize(
    ("agent", "wish"),
    [
        ("status", SICK),
        ("reset", BROKEN),
        ("gateway", SICK),
        ("patient_reset", HANGING),
        ("patient_gateway", HANGING),
    ],
)
async def test_what_one_host_fails_another_answers(
    load: LoadOf, hosts: dict[str, Host], agent: str, wish: Wish
) -> None:
    replies = await load(agent).send([{**wish, "x-test-at": "a"}] * 10, at_once=10)
    assert [(reply.status, reply.host) for reply in replies] == [(200, "b")] * 10
    tried = tries(hosts)
    assert tried["a"] > 0
    assert (tried["b"], tried["c"]) == (10, 0)


@pytest.mark.parametrize("wish", [SICK, BROKEN, HANGING])
async def test_what_the_first_group_fails_the_second_one_answers(
    load: LoadOf, hosts: dict[str, Host], wish: Wish
) -> None:
    replies = await load("failover").send([{**wish, "x-test-at": "a,b"}] * 10, at_once=10)
    assert [(reply.status, reply.host) for reply in replies] == [(200, "c")] * 10
    tried = tries(hosts)
    assert (tried["a"] + tried["b"], tried["c"]) == (10, 10)


async def test_what_the_keys_do_not_name_does_not_reach_the_second_group(
    load: LoadOf, hosts: dict[str, Host]
) -> None:
    reply = await load("failover").ask({"x-test-status": "500", "x-test-at": "a,b"})
    assert reply.status == 500
    assert tries(hosts)["c"] == 0


@pytest.mark.parametrize(("agent", "at"), [("status", "a"), ("failover", "a,b")])
async def test_a_second_try_differs_by_its_host_alone(
    stack: Stack, load: LoadOf, hosts: dict[str, Host], agent: str, at: str
) -> None:
    other = "c" if agent == "failover" else "b"
    await load(agent).send([{**SICK, "x-test-at": at}] * 4, at_once=1)
    seen: dict[str, list[tuple[str, Seen]]] = {}
    for name in (*at.split(","), other):
        for request in hosts[name].requests():
            assert request.all("host") == [f"127.0.0.1:{hosts[name].port}"]
            assert request.all("x-forwarded-host") == [f"127.0.0.1:{stack.port}"]
            seen.setdefault(str(request.header("x-request-id")), []).append((name, request))
    tried_twice = [each for each in seen.values() if len(each) > 1]
    assert tried_twice
    for (_, first), (name, second) in tried_twice:
        assert name == other
        assert second.body == first.body
        assert second.target == first.target
        assert without_host(second) == without_host(first)


def without_host(request: Seen) -> list[tuple[str, str]]:
    return sorted(header for header in request.headers if header[0] != "host")


async def test_a_stream_may_take_longer_than_a_try(load: LoadOf, hosts: dict[str, Host]) -> None:
    reply = await load("patient_reset").ask({"x-test-sse": "8,0.2"})
    assert reply.status == 200
    assert reply.body.count(b"data: {") == 8
    assert reply.body.endswith(b"data: [DONE]\n\n")
    assert tries(hosts).total() == 1


async def test_a_stream_may_take_longer_than_the_longest_silence(load: LoadOf) -> None:
    reply = await load("silent").ask({"x-test-sse": "8,0.2"})
    assert reply.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(("agent", "events"), [("timed", "100,0.2"), ("silent", "3,60")])
async def test_a_stream_is_cut_when_its_time_is_over(
    load: LoadOf, hosts: dict[str, Host], agent: str, events: str
) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await load(agent).ask({"x-test-sse": events})
    assert tries(hosts).total() == 1
