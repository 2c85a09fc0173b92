"""Many plans at once: nothing is lost, mixed up or leaked, and waiting costs little memory."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
import pytest
from aiohttp import web

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack
    from tests.e2e.plans.conftest import Agents, Behaviour, Client

CHAT: Final = "/v1/chat/completions"
DEADLINE: Final = 100.0
PLANS: Final = 200
KIB: Final = 2**10


def conversation(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


async def ask(
    session: aiohttp.ClientSession, url: str, request_id: str, body: bytes
) -> tuple[int, str]:
    headers = {"x-plan": "a,b,c", "x-request-id": request_id}
    async with session.post(url + CHAT, data=body, headers=headers) as response:
        return response.status, await response.text()


def repeats(agents: Agents, after: float) -> Behaviour:
    """Answer with the agent's name and all that was said to it, in order."""

    async def answer(request: web.Request) -> web.StreamResponse:
        said = [each["content"] for each in (await request.json())["messages"]]
        agent = request.headers["x-outerloop-agent"]
        return await agents.says(f"{agent}({'|'.join(said)})", after=after)(request)

    return answer


@pytest.mark.parametrize("listener", ["fail", "parallel"])
async def test_two_hundred_plans_of_slow_agents_at_once(
    plans: Client, agents: Agents, listener: str
) -> None:
    """Each answer holds its own request's mark, through every agent, and nobody else's."""
    slow = repeats(agents, 0.5)
    marks = {agents.script(a=slow, b=slow, c=slow): f"mark {number}" for number in range(PLANS)}
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    connector = aiohttp.TCPConnector(limit=0)
    url = plans.stack.listeners[listener]
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        answers = await asyncio.gather(
            *(ask(session, url, key, conversation(mark)) for key, mark in marks.items())
        )
    for mark, (status, answer) in zip(marks.values(), answers, strict=True):
        first = f"a({mark})"
        second = f"b({mark})" if listener == "parallel" else f"b({first}|{mark})"
        assert status == 200, answer
        [choice] = json.loads(answer)["choices"]
        assert choice["message"]["content"] == f"c({first}|{second}|{mark})"
    assert [len(agents.calls(request_id)) for request_id in marks] == [3] * PLANS


def resident(pid: int) -> int:
    """Bytes that a process holds in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * KIB


@pytest.fixture
def unused(plans_yaml: Callable[..., str], run_stack: Callable[..., Stack]) -> Stack:
    """A stack whose memory nobody has filled yet."""
    return run_stack(plans_yaml("fail"))


@pytest.mark.parametrize(("size", "most"), [(100, 150 * KIB), (100 * KIB, 1500 * KIB)])
async def test_memory_of_plans_that_wait(
    agents: Agents, unused: Stack, size: int, most: int
) -> None:
    """What the worker holds for each plan that waits; docs/plans.md has the figures."""
    [worker] = [each["pid"] for each in unused.ready()["workers"]]
    body = conversation("x" * size)
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    connector = aiohttp.TCPConnector(limit=0)
    go_on = agents.event()
    keys = [agents.script(b=agents.says("at last", until=go_on)) for _ in range(PLANS)]
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        for _ in range(5):
            assert (await ask(session, unused.url, agents.script(), body))[0] == 200
        before = resident(worker)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(session, unused.url, key, body)) for key in keys]
            while sum(len(agents.calls(key)) for key in keys) < 2 * PLANS:
                await asyncio.sleep(0.02)
            each = (resident(worker) - before) / PLANS
            agents.set(go_on)
    assert {task.result()[0] for task in tasks} == {200}
    sys.stdout.write(f"{each / KIB:.0f} KiB a waiting plan; its request has {len(body)} bytes\n")
    assert 0 < each < most


class Mix:
    """Answers and failures, drawn at random; an answer has the mark of its request."""

    def __init__(self, agents: Agents, seed: int) -> None:
        self._agents = agents
        self._random = random.Random(seed)

    def draw(self, agent: str, mark: str) -> tuple[Behaviour, str | None]:
        """What an agent is to do, and what the next one hears of it."""
        agents, text = self._agents, f"{agent} says {mark}"
        leak = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-length: "
        good: list[Behaviour] = [
            agents.says(text),
            agents.says(text, after=self._random.random() / 5),
            agents.streams(text),
            agents.zipped(text),
        ]
        bad: list[Behaviour] = [
            agents.answers(leak, status=500),
            agents.answers(leak[:-4]),
            agents.answers(b"<html>" + leak),
            agents.streams(text, cut=2),
            agents.bytes(),
            agents.bytes(reset=True),
            agents.bytes(head + b"999\r\n\r\n" + leak),
            agents.bytes(head + b"999\r\n\r\n" + leak, reset=True),
            # More than it says: what is left over must not become the next answer.
            agents.bytes(head + b"5\r\n\r\n" + b"12345" + head + b"%d\r\n\r\n" % len(leak) + leak),
        ]
        if self._random.random() < 0.5:
            return self._random.choice(good), text
        return self._random.choice(bad), None

    def gives_up(self) -> bool:
        return self._random.random() < 0.1


async def hang_up(asking: Awaitable[object]) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(asking, 0.05)


@pytest.mark.parametrize("listener", ["skip", "parallel_skip"])
@pytest.mark.parametrize("seed", [1, 2])
async def test_failures_leak_nothing_from_one_request_into_another(
    plans: Client, agents: Agents, listener: str, seed: int
) -> None:
    mix = Mix(agents, seed)
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    connector = aiohttp.TCPConnector(limit=20)
    expected: list[list[str]] = []
    work: list[Awaitable[tuple[int, str]]] = []
    vanishing: list[Awaitable[None]] = []
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        for number in range(PLANS):
            mark = f"mark {number}."
            (first, heard_first), (second, heard_second) = mix.draw("a", mark), mix.draw("b", mark)
            key = agents.script(a=first, b=second, c=repeats(agents, 0))
            asking = ask(session, plans.stack.listeners[listener], key, conversation(mark))
            if mix.gives_up():
                vanishing.append(hang_up(asking))
                continue
            heard = [text for text in (heard_first, heard_second) if text is not None]
            expected.append([*heard, mark])
            work.append(asking)
        answers, _ = await asyncio.gather(asyncio.gather(*work), asyncio.gather(*vanishing))
    for said, (status, answer) in zip(expected, answers, strict=True):
        assert status == 200, answer
        [choice] = json.loads(answer)["choices"]
        assert choice["message"]["content"] == f"c({'|'.join(said)})"
