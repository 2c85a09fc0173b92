"""Agents, and configurations of them whose generation shows in every answer."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.conftest import EchoAgent, Stack, start

KIB = 2**10
POLL = 0.05

# What the strategy chooses is not of a generation: its agent stays, and its weights change.
YAML = """
version: v1
agents:
  - {{id: left-{number}, url: "{left}", headers: {{x-generation: "{number}"}}}}
  - {{id: right-{number}, url: "{right}", headers: {{x-generation: "{number}"}}}}
  - id: shared
    headers: {{x-generation: "{number}"}}
    variants:
      - {{id: stable, url: "{left}", weight: {weight}}}
      - {{id: canary, url: "{right}", weight: 20}}
{agents}
orchestrator: {{min_confidence: {confidence}}}
listeners:
  - type: agent
    name: travel
    port: {port}
    rules:
      - {{when: {{headers: {{x-side: left}}}}, agents: [left-{number}]}}
      - {{when: {{headers: {{x-side: right}}}}, agents: [right-{number}]}}
      - {{when: {{headers: {{x-side: both}}}}, agents: [left-{number}, right-{number}]}}
{rules}
    agents:
      - {{id: left-{number}, description: Weather forecasts for any city.}}
      - {{id: right-{number}, description: Finds and books flights.}}
      - {{id: shared, description: Finds and books hotels., default: true}}
{offered}
"""


@dataclass(frozen=True)
class Configuration:
    """One configuration; its number is in the ids of its agents, and in what they are sent."""

    left: str
    right: str
    number: int = 1
    port: int = 0
    weight: int = 80
    confidence: float = 0.55
    extra: bool = False
    ruled: bool = False

    def __str__(self) -> str:
        extra, ruled = self.extra, self.ruled
        rule = "      - {when: {headers: {x-new: rule}}, agents: [shared]}"
        return YAML.format(
            **vars(self),
            agents=f'  - {{id: extra, url: "{self.left}"}}' if extra else "",
            offered="      - {id: extra, description: Rents cars.}" if extra else "",
            rules=rule if ruled else "",
        )


@dataclass
class Admin:
    """What a running stack says of itself."""

    url: str
    session: aiohttp.ClientSession

    async def ready(self) -> dict[str, Any]:
        return await self._get("/readyz")

    async def config(self) -> dict[str, Any]:
        return await self._get("/config")

    async def _get(self, path: str) -> dict[str, Any]:
        async with self.session.get(self.url + path) as answer:
            return dict(await answer.json())

    async def pids(self) -> list[int]:
        return [worker["pid"] for worker in (await self.ready())["workers"]]

    async def replaced(self, index: int, before: int, within: float) -> int:
        """Wait for another process in a worker's place; return its id."""
        async with asyncio.timeout(within):
            while True:
                worker = (await self.ready())["workers"][index]
                if worker["pid"] not in {before, None} and worker["status"] == "ready":
                    return int(worker["pid"])
                await asyncio.sleep(POLL)


async def replace(admin: Admin, index: int, number: signal.Signals, within: float) -> float:
    """Send a worker a signal; return the seconds until another process has its place."""
    loop = asyncio.get_running_loop()
    before = (await admin.pids())[index]
    began = loop.time()
    os.kill(before, number)
    await admin.replaced(index, before, within)
    return loop.time() - began


async def eventually(condition: Callable[[], object], within: float = 30.0) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(POLL)


def resident(pid: int) -> int:
    """Bytes that a process holds in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) * KIB


@pytest.fixture(scope="module")
def configuration() -> Iterator[Configuration]:
    """Agents in processes of their own, and a first configuration of them."""
    with ExitStack() as agents:
        left, right = (EchoAgent(name) for name in ("left", "right"))
        for agent in (left, right):
            agents.callback(agent.stop)
        yield Configuration(left.url, right.url)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "outerloop.yaml"


@pytest.fixture
def up(file: Path, configuration: Configuration) -> Iterator[Callable[..., Stack]]:
    """Run `outerloop up` with options; it is stopped after the test, without a traceback."""
    stacks: list[Stack] = []

    def run(*options: str) -> Stack:
        file.write_text(str(configuration))
        stacks.append(start(file, *options))
        return stacks[-1]

    yield run
    for stack in stacks:
        stack.process.stop()
        assert "Traceback" not in stack.process.output


@pytest.fixture
async def http() -> Any:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session
