"""Measure what a request costs `outerloop serve`: CPU time, and memory while it waits.

usage: capacity.py [--requests N]

The processor stands beside a plain Envoy with what `render` prints. Requests are those of the
travel example: ones that name their agent, short questions, and turns of a longer conversation.
CPU time is what the kernel has counted for the worker and for Envoy; memory is the worker's
proportional set size.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

BIN = Path(sys.executable).parent
TRAVEL = Path(__file__).parents[1] / "examples/travel/outerloop.yaml"
AT_ONCE = 8
OK = 200
HISTORY = ("Tell me about your company. " * 8, "We are a travel agency. " * 16)
CITIES = ("Rome", "Oslo", "Paris", "Madrid", "Berlin", "London", "Vienna", "Prague")
ASKS_A_MODEL = """
orchestrator:
  strategy: model
  cache: {{entries: 0}}
  model: {{url: "http://127.0.0.1:{port}/v1", name: m, timeout: 25s}}
"""
ROUTE = {"choices": [{"message": {"role": "assistant", "content": '{"route": ["flight_agent"]}'}}]}


class Model:
    """Answers at once, or, while `gate` is shut, not yet."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0

    async def __call__(self, request: web.Request) -> web.Response:
        """Answer one request."""
        await request.read()
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        return web.json_response(ROUTE)


async def agent(request: web.Request) -> web.Response:
    """Answer whatever is asked."""
    await request.read()
    return web.json_response({"ok": True})


@dataclass
class Running:
    """What is measured; `url` is the listener's."""

    url: str
    worker: int
    envoy: int
    model: Model
    client: aiohttp.ClientSession

    async def serves(self) -> bool:
        """Tell whether a request gets through already."""
        with contextlib.suppress(aiohttp.ClientError):
            return await self.ask(question(0, "explicit")) == OK
        return False

    async def ask(self, body: bytes) -> int:
        """Send a request; return the status of its answer."""
        headers = {"content-type": "application/json"}
        async with self.client.post(self.url, data=body, headers=headers) as answer:
            await answer.read()
            return answer.status


@contextlib.asynccontextmanager
async def running(*, with_model: bool) -> AsyncIterator[Running]:
    """Start everything; it ends with the context."""
    async with contextlib.AsyncExitStack() as exits:
        model = Model()
        agents, models = [await listen(exits, each) for each in (agent, model)]
        orchestrator = ASKS_A_MODEL.format(port=models) if with_model else ""
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory()))
        url, worker, envoy = start(exits, folder, agents, orchestrator)
        connector = aiohttp.TCPConnector(limit=0)
        client = await exits.enter_async_context(aiohttp.ClientSession(connector=connector))
        made = Running(url, worker, envoy, model, client)
        while not await made.serves():  # noqa: ASYNC110 - Envoy sends no events
            await asyncio.sleep(0.1)
        yield made


async def listen(
    exits: contextlib.AsyncExitStack, handler: Callable[[web.Request], Awaitable[web.Response]]
) -> int:
    """Serve on a free port, and return it."""
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    exits.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    return int(runner.addresses[0][1])


def start(
    exits: contextlib.AsyncExitStack, folder: Path, agents: int, orchestrator: str
) -> tuple[str, int, int]:
    """Start processor and Envoy; return the listener's URL and the ids of worker and Envoy."""
    listener, processor, admin = free_ports()
    text = TRAVEL.read_text(encoding="utf-8").replace("port: 8001", f"port: {listener}")
    text = re.sub(r"127\.0\.0\.1:105[123]0", f"127.0.0.1:{agents}", text)
    where = f'deploy: {{processor: {{addresses: ["127.0.0.1:{processor}"]}}}}'
    file, bootstrap = folder / "outerloop.yaml", folder / "bootstrap.yaml"
    file.write_text(f"{text}\n{where}\n{orchestrator}", encoding="utf-8")
    render = ("render", "-c", file, "--target", "bootstrap", "-o", folder)
    subprocess.run((BIN / "outerloop", *render), check=True, stdout=subprocess.DEVNULL)
    rendered = bootstrap.read_text(encoding="utf-8")
    bootstrap.write_text(rendered.replace("9901", str(admin)), encoding="utf-8")
    addresses = ("--bind", f"127.0.0.1:{processor}", "--admin", "127.0.0.1:0")
    serve = exits.enter_context(process("outerloop", "serve", "-c", str(file), *addresses))
    assert serve.stdout is not None
    next(line for line in serve.stdout if line.startswith(b"admin"))
    [worker] = Path(f"/proc/{serve.pid}/task/{serve.pid}/children").read_text().split()
    options = ("--disable-hot-restart", "-l", "error", "--concurrency", "1")
    envoy = exits.enter_context(process("envoy", "-c", str(bootstrap), *options))
    return f"http://127.0.0.1:{listener}/v1/chat/completions", int(worker), envoy.pid


@contextlib.contextmanager
def process(program: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program of this environment; it is told to stop behind the context."""
    with subprocess.Popen((BIN / program, *arguments), stdout=subprocess.PIPE) as made:
        try:
            yield made
        finally:
            made.terminate()


def free_ports() -> list[int]:
    """Find three ports that nobody listens on right now."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(3)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def question(number: int, kind: str, size: int = 0) -> bytes:
    """Return a request that nobody sent before, so that no decision is remembered."""
    asked = f"What is the weather in {random.choice(CITIES)} on day {number}, and what to wear?"
    first, answer = HISTORY
    history = [
        {"role": "user", "content": first + "x " * (size // 2)},
        {"role": "assistant", "content": answer},
    ]
    messages = [*(history if kind == "turn" else ()), {"role": "user", "content": asked}]
    model = "hotel_agent" if kind == "explicit" else "m"
    return json.dumps({"model": model, "messages": messages}).encode()


def cpu(pid: int) -> float:
    """Return the seconds that all threads of a process have run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def memory(pid: int) -> int:
    """Return the KiB of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


async def time_of(at: Running, kind: str, count: int) -> None:
    """Print the CPU time of one kind of request, once all is warm."""

    async def some(numbers: range) -> None:
        for number in numbers:
            assert await at.ask(question(number, kind)) == OK

    async def all_of(numbers: range) -> None:
        await asyncio.gather(*(some(numbers[first::AT_ONCE]) for first in range(AT_ONCE)))

    await all_of(range(count))
    before = cpu(at.worker), cpu(at.envoy)
    await all_of(range(count, 2 * count))
    worker, envoy = cpu(at.worker) - before[0], cpu(at.envoy) - before[1]
    shown = f"worker {worker / count * 1e3:.2f} ms, Envoy {envoy / count * 1e3:.2f} ms a request"
    print(f"  {kind:10} {shown}; the worker has {memory(at.worker) / 1024:.0f} MiB")


async def memory_of(at: Running, size: int, count: int) -> None:
    """Print the memory of requests of one size that all wait at once."""
    body = question(0, "turn", size)
    at.model.gate.clear()
    before = memory(at.worker), memory(at.envoy)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(at.ask(body)) for _ in range(count)]
        while at.model.waiting < count:  # noqa: ASYNC110 - requests on their way send no events
            await asyncio.sleep(0.05)
        worker, envoy = memory(at.worker) - before[0], memory(at.envoy) - before[1]
        at.model.gate.set()
    assert {each.result() for each in asked} == {OK}
    shown = f"worker {worker / count:.0f} KiB, Envoy {envoy / count:.0f} KiB"
    print(f"  {count:5} with {len(body) // 1024:6} KiB each: {shown} for each that waits")


async def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=4000)
    count: int = parser.parse_args().requests
    print("no model is asked")
    async with running(with_model=False) as at:
        for kind in ("explicit", "short", "turn"):
            await time_of(at, kind, count)
    print("a model decides")
    async with running(with_model=True) as at:
        await time_of(at, "turn", count)
    print("requests that wait for a model")
    for size, waiting in ((0, 1000), (100 * 2**10, 500), (2**20, 64), (2**25 - 2**12, 8)):
        async with running(with_model=True) as at:
            await memory_of(at, size, waiting)


if __name__ == "__main__":
    asyncio.run(main())
