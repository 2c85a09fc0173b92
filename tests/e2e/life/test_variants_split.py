"""Who gets which variant, and what a change of weights does to it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack
    from tests.e2e.life.conftest import Host, Load

YAML = """
version: v1
agents:
  - id: split
    variants:
      - {{id: stable, weight: 95, url: "{stable}"}}
      - {{id: canary, weight: 5, url: "{canary}"}}
      - {{id: unborn, weight: 0, url: "{unborn}"}}
  - id: sticky
    session_affinity: {{header: x-user-id}}
    variants:
      - {{id: stable, weight: {sticky}, url: "{stable}"}}
      - {{id: canary, weight: {fresh}, url: "{canary}"}}
  - id: failing
    variants:
      - {{id: stable, weight: 50, url: "{stable}"}}
      - {{id: canary, weight: {failing}, url: "{canary}"}}
{more}
observability: {{response_headers: full}}
listeners:
  - {{name: main, port: 0, agents: [{{id: split}}, {{id: sticky}}, {{id: failing}}]}}
"""
REQUESTS = 10_000
CALLERS = [{"x-user-id": f"user-{number}"} for number in range(500)]

LoadOf = Callable[[str], "Load"]
Reload = Callable[[str], Awaitable[None]]
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


def deviations(count: int, share: float) -> float:
    """Five standard deviations of a binomial."""
    return 5 * float((count * share * (1 - share)) ** 0.5)


@pytest.fixture(scope="module")
def yaml(run_host: Callable[[str], Host]) -> Callable[..., str]:
    urls = {name: run_host(name).url for name in ("stable", "canary", "unborn")}

    def make(*, fresh: int = 5, failing: int = 50, more: str = "") -> str:
        weights = {"sticky": 100 - fresh, "fresh": fresh, "failing": failing}
        return YAML.format(**urls, **weights, more=more)

    return make


@pytest.fixture(scope="module")
def stack(run_module_stack: Callable[..., Stack], yaml: Callable[..., str]) -> Stack:
    return run_module_stack(yaml())


async def test_each_variant_gets_its_share(
    load: LoadOf, figure: Callable[..., float], eventually: Eventually
) -> None:
    asked = load("split")
    replies = await asked.send(REQUESTS)
    assert {reply.status for reply in replies} == {200}
    assert all(reply.variant == reply.host for reply in replies)
    shares = Counter(reply.host for reply in replies)
    assert shares["stable"] + shares["canary"] == REQUESTS
    assert abs(shares["canary"] - REQUESTS * 0.05) < deviations(REQUESTS, 0.05)

    some = {reply.host: reply.request_id for reply in replies}
    assert {host: asked.stack.access_log(each)["variant"] for host, each in some.items()} == {
        "stable": "stable",
        "canary": "canary",
    }

    def counted() -> dict[str, float]:
        name = "outerloop_agent_responses_total"
        return {
            variant: figure(name, agent="split", variant=variant, status_class="2xx")
            for variant in ("stable", "canary", "unborn")
        }

    await eventually(lambda: counted() == {**shares, "unborn": 0})


async def test_a_caller_keeps_its_variant_until_the_weights_move_it(
    load: LoadOf, yaml: Callable[..., str], reload: Reload
) -> None:
    callers = load("sticky")

    async def variants() -> list[str | None]:
        return [reply.variant for reply in await callers.send(CALLERS)]

    first = await variants()
    share = first.count("canary")
    assert abs(share - 25) < deviations(len(CALLERS), 0.05)
    assert [await variants() for _ in range(2)] == [first, first]
    await reload(yaml(more="  - {id: another, url: 'http://127.0.0.1:1'}"))
    assert await variants() == first
    await reload(yaml(fresh=10))
    then = await variants()
    moved = Counter(pair for pair in zip(first, then, strict=True) if len(set(pair)) > 1)
    # One caller in twenty, and none the other way.
    assert set(moved) == {("stable", "canary")}
    assert moved.total() < 25 + deviations(len(CALLERS), 0.05)
    assert await variants() == then


async def test_a_failing_variant_of_weight_zero_fails_nobody(
    load: LoadOf, yaml: Callable[..., str], reload: Reload, eventually: Eventually
) -> None:
    failure = {"x-test-at": "canary", "x-test-status": "500"}
    async with load("failing").going_on(failure) as replies:
        await eventually(lambda: {reply.status for reply in replies} == {200, 500})
        await reload(yaml(failing=0))
        in_force = time.monotonic()
        known = len(replies)
        await eventually(lambda: len(replies) > known + 500)
    # What failed was said by the canary itself.
    assert {(reply.status, reply.variant) for reply in replies} == {
        (200, "stable"),
        (500, "canary"),
    }
    later = [reply for reply in replies if reply.began > in_force]
    assert {reply.variant for reply in later} == {"stable"}
