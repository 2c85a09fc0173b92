"""Whatever clients and agents send, `/metrics` has no more series than the configuration allows."""

from __future__ import annotations

import asyncio
import json
import math
import random
import string
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.exposition import enumerated, samples

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Stack

REQUESTS = 1200
AT_ONCE = 48
BUCKETS = 20
YAML = """
version: v1
agents:
  - {{id: weather_agent, url: "{weather}"}}
  - id: flight_agent
    variants:
      - {{id: stable, weight: 1, url: "{flight}"}}
      - {{id: canary, weight: 1, url: "{flight}"}}
  - {{id: gone_agent, url: "http://127.0.0.1:1", fallback: weather_agent}}
filters:
  - {{id: length, type: builtin, use: limits, options: {{max_chars: 200}}}}
listeners:
  - type: agent
    name: front
    port: 0
    input_filters: [length]
    agents: [{{id: weather_agent}}, {{id: flight_agent}}, {{id: gone_agent}}]
  - {{type: agent, name: side, port: 0, agents: [{{id: weather_agent}}]}}
observability: {{access_log: null}}
"""
NAMED: Mapping[str, set[str]] = {
    "listener": {"front", "side"},
    "agent": {"weather_agent", "flight_agent", "gone_agent", ""},
    "variant": {"stable", "canary", ""},
    "filter": {"length"},
}
"""By label, the names of the configuration."""


def allowed(name: str, label: str) -> set[str]:
    return NAMED[label] if label in NAMED else enumerated(name, label)


def most_series(name: str, labels: frozenset[str]) -> int:
    free = labels - {"le", "version"}
    each = math.prod(len(allowed(name, label)) for label in free)
    return each * (BUCKETS if "le" in labels else 1)


def word(chance: random.Random) -> str:
    return "".join(chance.choices(string.ascii_letters + string.digits + "-_.", k=12))


def hostile(chance: random.Random) -> dict[str, Any]:
    """Make up a request: now nearly right, now nonsense."""
    models = ["weather_agent", "flight_agent", "gone_agent", word(chance), word(chance)]
    said = word(chance) * chance.choice([1, 1, 1, 30])
    usage = {chance.choice(["input_tokens", word(chance)]): chance.randrange(99)}
    headers = {
        "x-request-id": word(chance),
        "x-outerloop-listener": word(chance),
        "x-outerloop-agent": word(chance),
        "x_outerloop_variant": word(chance),
        "x-outerloop-source": word(chance),
        f"x-{word(chance).replace('.', '-')}": word(chance),
        "user-agent": word(chance),
        "x-test-status": str(chance.randrange(200, 1000)),
        "x-test-usage": json.dumps(usage | {"agent": word(chance), "variant": word(chance)}),
        "x-test-headers": json.dumps([["x-outerloop-agent", word(chance)]]),
    }
    paths = ["/v1/chat/completions"] * 6 + ["/v1/messages", f"/{word(chance)}", "/v1/models"]
    body = {"model": chance.choice(models), "messages": [{"role": "user", "content": said}]}
    return {
        "method": chance.choice(["POST"] * 8 + ["GET", "PUT", word(chance).upper()]),
        "path": f"{chance.choice(paths)}?{word(chance)}={word(chance)}",
        "headers": headers,
        "content": chance.choice([json.dumps(body)] * 8 + [word(chance)]),
    }


async def send(stack: Stack, requests: list[dict[str, Any]]) -> Counter[int]:
    statuses: Counter[int] = Counter()
    free = asyncio.Semaphore(AT_ONCE)

    async def one(client: httpx.AsyncClient, base: str, request: dict[str, Any]) -> None:
        async with free:
            rest = {name: request[name] for name in ("headers", "content")}
            try:
                answer = await client.request(request["method"], base + request["path"], **rest)
                statuses[answer.status_code] += 1
            except httpx.HTTPError:
                statuses[0] += 1

    async with httpx.AsyncClient(timeout=60, verify=False) as client, asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            base = list(stack.listeners.values())[number % 2]
            group.create_task(one(client, base, request))
    return statuses


@pytest.mark.timeout(300)
async def test_series_are_bounded_by_the_configuration(
    run_stack: Callable[..., Stack], echo_agents: dict[str, EchoAgent]
) -> None:
    urls = {name.removesuffix("_agent"): each.url for name, each in echo_agents.items()}
    stack = run_stack(YAML.format(**urls), "--workers", "2")
    chance = random.Random(7)
    statuses = await send(stack, [hostile(chance) for _ in range(REQUESTS)])
    assert sum(statuses.values()) == REQUESTS
    assert len(statuses) > 100  # What agents answer is as wild as what they are asked.

    found = await asyncio.to_thread(samples, stack.admin)
    series: Counter[str] = Counter()
    labels: dict[str, frozenset[str]] = {}
    for name, pairs in found:
        for label, value in pairs:
            assert label in ("le", "version") or value in allowed(name, label), (name, label, value)
        series[name] += 1
        labels[name] = frozenset(label for label, _ in pairs)
    too_many = {name for name in series if series[name] > most_series(name, labels[name])}
    assert too_many == set()
    assert found[next(key for key in found if key[0] == "outerloop_inflight_requests")] == 0
