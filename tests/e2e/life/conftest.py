"""Agents that die, come back and misbehave, and a client that keeps asking for them."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Process, Seen, Stack

ECHO: Final = Path(__file__).parents[2] / "support/echo_agent.py"
CHAT: Final = "/v1/chat/completions"
DEADLINE: Final = 60.0
"""Seconds until a test gives up: far above what anything takes on a busy machine."""

Headers = Mapping[str, str]


def _quiet_port() -> int:
    """Find a free port that no outgoing connection is given while its agent is dead."""
    for port in random.sample(range(15_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


class Host:
    """An echo agent with a port of its own, on which it can come back from the dead."""

    def __init__(
        self, name: str, start: type[Process], read: Callable[[dict[str, Any]], Seen]
    ) -> None:
        self.name = name
        self.port = _quiet_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._start = start
        self._read = read
        self._http = httpx.Client(base_url=self.url, timeout=DEADLINE, verify=False)
        self._process = self._run()

    def _run(self) -> Process:
        process = self._start(sys.executable, str(ECHO), self.name, str(self.port))
        process.wait_line(str.isdigit)
        return process

    def kill(self) -> None:
        """Return when it is dead: its connections are closed then."""
        self._process.stop(signal.SIGKILL)

    def revive(self) -> None:
        """Return when it listens again, if it did not."""
        if self._process.popen.poll() is not None:
            self._process = self._run()

    def close(self) -> None:
        self._http.close()
        if self._process.popen.poll() is None:
            self.kill()

    def requests(self) -> list[Seen]:
        """Return what came since it was last asked."""
        return [self._read(record) for record in self._http.delete("/requests").json()]

    def running(self) -> list[str]:
        return list(self._http.get("/running").json())

    def release(self, request_id: str) -> None:
        self._http.post(f"/release/{request_id}").raise_for_status()

    def health(self, status: int) -> None:
        """Say what it answers to health checks from now on."""
        self._http.put(f"/healthz/{status}").raise_for_status()


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, with the name of the host that gave it, if one did."""

    status: int
    host: str
    variant: str | None
    error: str | None
    request_id: str
    began: float
    ended: float
    body: bytes


@dataclass(frozen=True, slots=True)
class Load:
    """Requests for one agent of one stack, over as many connections as there are at once."""

    session: aiohttp.ClientSession
    stack: Stack
    agent: str

    async def ask(self, headers: Headers | None = None) -> Reply:
        body = {"model": self.agent, "messages": [{"role": "user", "content": "hello"}]}
        began = time.monotonic()
        url = self.stack.url + CHAT
        async with self.session.post(url, json=body, headers=headers) as answer:
            read = await answer.read()
        host = ""
        with suppress(ValueError):
            host = json.loads(read).get("agent", "") if answer.status == 200 else ""
        told = answer.headers.get
        return Reply(
            answer.status,
            host,
            told("x-outerloop-variant"),
            told("x-outerloop-error"),
            told("x-request-id", ""),
            began,
            time.monotonic(),
            read,
        )

    async def send(
        self, requests: int | Iterable[Headers | None], *, at_once: int = 20
    ) -> list[Reply]:
        """Send that many, or one with each of the headers; return the answers in that order."""
        each = itertools.repeat(None, requests) if isinstance(requests, int) else requests
        todo = enumerate(each)
        replies: dict[int, Reply] = {}

        async def work() -> None:
            for number, headers in todo:
                replies[number] = await self.ask(headers)

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
        return [replies[number] for number in sorted(replies)]

    @asynccontextmanager
    async def going_on(
        self, headers: Headers | None = None, *, at_once: int = 20
    ) -> AsyncIterator[list[Reply]]:
        """Ask all the time until the block ends; the list grows meanwhile."""
        replies: list[Reply] = []
        enough = False

        async def work() -> None:
            while not enough:
                replies.append(await self.ask(headers))

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
            try:
                yield replies
            finally:
                enough = True

    async def until_all_from(self, *hosts: str) -> None:
        """Ask until all these hosts answer, and no other.

        Of two changes within a second Envoy acts on the second one when that is over.
        """
        async with asyncio.timeout(DEADLINE):
            while {reply.host for reply in await self.send(50, at_once=10)} != set(hosts):
                await asyncio.sleep(0.02)


@pytest.fixture
async def load(stack: Stack) -> AsyncIterator[Callable[[str], Load]]:
    """Make the load for an agent of the module's `stack`."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield lambda agent: Load(session, stack, agent)


@pytest.fixture(scope="module")
def run_host(
    start_process: type[Process], seen: Callable[[dict[str, Any]], Seen]
) -> Iterator[Callable[[str], Host]]:
    """Start hosts for all tests of a module."""
    hosts: list[Host] = []

    def run(name: str) -> Host:
        hosts.append(Host(name, start_process, seen))
        return hosts[-1]

    yield run
    for host in hosts:
        host.close()


async def _eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Wait until something is so."""
    return _eventually


@pytest.fixture
def figure(stack: Stack) -> Callable[..., float]:
    """Read one figure of `/metrics`."""

    def read(name: str, **labels: str) -> float:
        inner = ",".join(f'{label}="{labels[label]}"' for label in sorted(labels))
        start = f"{name}{{{inner}}} "
        lines = httpx.get(f"{stack.admin}/metrics", timeout=DEADLINE).text.splitlines()
        [line] = [line for line in lines if line.startswith(start)]
        return float(line.removeprefix(start))

    return read


@pytest.fixture
def healthy(figure: Callable[..., float]) -> Callable[[str], float]:
    """Count the hosts of an agent that are not left out."""
    return lambda agent: figure("outerloop_agent_hosts", agent=agent, state="healthy", variant="")


@pytest.fixture
def reload(stack: Stack) -> Callable[[str], Awaitable[None]]:
    """Give the stack another file; return when that is in force."""
    argv = stack.process.popen.args
    assert isinstance(argv, tuple)
    file = Path(argv[argv.index("-c") + 1])

    async def rewrite(yaml: str) -> None:
        wanted = stack.ready()["generation"] + 1
        new = file.with_suffix(".new")
        new.write_text(yaml)
        new.replace(file)
        async with asyncio.timeout(DEADLINE):
            while (await asyncio.to_thread(stack.ready))["generation"] < wanted:
                await asyncio.sleep(0.02)

    return rewrite
