"""Clients at a constant rate and streams that always run, and what became of each."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

CHAT: Final = "/v1/chat/completions"
PATIENCE: Final = aiohttp.ClientTimeout(total=60)
EVENTS: Final = 50
PAUSE: Final = 0.2
NEW_CONNECTION: Final = 10
"""Each so many requests come by a connection of their own."""


class Failed(Exception):
    """What a client got is not a whole answer, or one that nobody may give."""


@dataclass(frozen=True)
class Request:
    """One kind of request; `side` is what the rules of the configuration look at."""

    side: str
    text: str = "hello"
    share: int = 1

    @property
    def body(self) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": self.text}]}


LEFT, RIGHT = Request("left", share=6), Request("right", share=6)
BOTH = Request("both", share=2)
DECIDED = Request("", "Find me a hotel room for two nights in Oslo.", share=5)
MODELS = Request("models")
KINDS: Final = (LEFT, RIGHT, BOTH, DECIDED, MODELS)


@dataclass
class Report:
    """What was sent, and what came of it; `failures` and `cuts` by their causes."""

    sent: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    streams: int = 0
    cuts: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    generations: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        times = sorted(self.seconds) or [0.0]
        p50, p99 = (times[int(len(times) * part)] * 1000 for part in (0.5, 0.99))
        return (
            f"{self.sent} requests, failed: {dict(self.failures) or 0}; {self.streams} streams, "
            f"cut: {dict(self.cuts) or 0}; refused connections: {self.refused}; "
            f"ms: p50 {p50:.0f}, p99 {p99:.0f}, most {times[-1] * 1000:.0f}"
        )


class Load:
    """Sends `rate` requests a second, whatever becomes of them, while `streams` streams run.

    Each answer must be of one whole configuration: all generations that its agents name are one,
    among `allowed`, and not older than `in_force` was when the request was sent.
    """

    def __init__(
        self,
        url: str,
        *,
        rate: float = 200,
        streams: int = 20,
        kinds: tuple[Request, ...] = KINDS,
        allowed: set[int] | None = None,
    ) -> None:
        self.report = Report()
        self.allowed = allowed if allowed is not None else {1}
        self.in_force = min(self.allowed)
        self._url = url
        self._rate = rate
        self._streams = streams
        self._kinds = [kind for kind in kinds for _ in range(kind.share)]
        self._stopped = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._kept = _session(force_close=False)
        self._new = _session(force_close=True)
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._group.create_task(self._send())
        for number in range(self._streams):
            self._group.create_task(self._stream(number))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Send no more, and wait for what runs."""
        self._stopped.set()
        try:
            await self._group.__aexit__(kind, error, trace)
        finally:
            await self._kept.close()
            await self._new.close()

    def stop(self) -> None:
        """Send no more."""
        self._stopped.set()

    async def _send(self) -> None:
        start = time.monotonic()
        for number in itertools.count():
            await asyncio.sleep(max(0.0, start + number / self._rate - time.monotonic()))
            if self._stopped.is_set():
                return
            # Ahead of the rule: 7 and 19 have no divisor in common, so that all kinds take turns.
            kind = self._kinds[number * 7 % len(self._kinds)]
            session = self._new if number % NEW_CONNECTION == 0 else self._kept
            self._group.create_task(self._once(session, kind))

    async def _once(self, session: aiohttp.ClientSession, kind: Request) -> None:
        started, expected = time.monotonic(), self.in_force
        ask = self._models if kind is MODELS else self._conversation
        self.report.sent += 1
        if await self._noting(self.report.failures, lambda: ask(session, kind, expected)):
            self.report.seconds.append(time.monotonic() - started)

    async def _noting(self, causes: Counter[str], ask: Callable[[], Awaitable[None]]) -> bool:
        """Note why `ask` failed, if it did; connections that are refused are counted apart."""
        try:
            await ask()
        except aiohttp.ClientConnectorError as error:
            if error.errno == errno.ECONNREFUSED:
                self.report.refused += 1
            else:
                causes[f"connect: {error.errno}"] += 1
        except (aiohttp.ClientError, TimeoutError, OSError, Failed) as error:
            causes[str(error) if isinstance(error, Failed) else repr(error)] += 1
        else:
            return True
        return False

    async def _conversation(
        self, session: aiohttp.ClientSession, kind: Request, expected: int
    ) -> None:
        headers = {"x-side": kind.side} | (_SAYING if kind is BOTH else {})
        async with session.post(self._url + CHAT, json=kind.body, headers=headers) as answer:
            await _whole(answer)
            told = _values(answer)
            got = dict((await answer.json())["headers"])
        plan = told["x-outerloop-plan"]
        if kind.side and not re.fullmatch(_PLANS[kind.side], plan):
            raise Failed(f"{kind.side} went to {plan}")
        if got["x-outerloop-agent"] != told["x-outerloop-agent"]:
            raise Failed(f"{told['x-outerloop-agent']} was asked as {got['x-outerloop-agent']}")
        # Envoy adds the one, the processor chose the other.
        self._check(f"{plan},of-{got['x-generation']}" if kind.side else plan, expected)

    async def _models(self, session: aiohttp.ClientSession, _kind: Request, expected: int) -> None:
        async with session.get(f"{self._url}/v1/models") as answer:
            await _whole(answer)
            ids = [each["id"] for each in (await answer.json())["data"]]
        if len(ids) < len(_ALWAYS):
            raise Failed(f"models: {ids}")
        self._check(",".join(ids), expected)

    def _check(self, names: str, expected: int) -> None:
        found = {int(number) for number in re.findall(r"-(\d+)", names)}
        if len(found) > 1:
            raise Failed(f"mixed: {names}")
        for number in found:
            if number not in self.allowed:
                raise Failed(f"never in force: {names}")
            if number < expected:
                raise Failed(f"older than what was in force: {names}")
            self.report.generations[number] += 1

    async def _stream(self, number: int) -> None:
        # They begin one after the other, so that some are at each of their events at any time.
        await asyncio.sleep(number * EVENTS * PAUSE / self._streams)
        headers = {"x-side": ("left", "right")[number % 2], "x-test-sse": f"{EVENTS},{PAUSE}"}
        while not self._stopped.is_set():
            self.report.sent += 1
            if not await self._noting(self.report.failures, lambda: self._events(headers)):
                await asyncio.sleep(PAUSE)

    async def _events(self, headers: dict[str, str]) -> None:
        url = self._url + CHAT
        async with self._kept.post(url, json=LEFT.body, headers=headers) as answer:
            await _whole(answer, read=False)
            self.report.streams += 1
            await self._noting(self.report.cuts, lambda: read_events(answer, EVENTS))


# An earlier agent of a plan must have something to say.
_SAID: Final = json.dumps({"choices": [{"message": {"role": "assistant", "content": "said"}}]})
_SAYING: Final = {"x-test-at": "left", "x-test-body": json.dumps(_SAID)}
_ALWAYS: Final = ("left", "right", "shared")
_PLANS: Final = {
    "left": r"left-\d+",
    "right": r"right-\d+",
    "both": r"left-\d+,right-\d+",
}


def _session(*, force_close: bool) -> aiohttp.ClientSession:
    connector = (
        aiohttp.TCPConnector(limit=0, force_close=True)
        if force_close
        else aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    )
    return aiohttp.ClientSession(connector=connector, timeout=PATIENCE)


async def read_events(answer: aiohttp.ClientResponse, events: int) -> None:
    """Read a stream to its end. Raises `Failed` where something is missing."""
    numbers: list[int] = []
    done = False
    async for line in answer.content:
        if line == b"data: [DONE]\n":
            done = True
        elif line.startswith(b"data: "):
            numbers.append(json.loads(line.removeprefix(b"data: "))["number"])
    if numbers != list(range(events)) or not done:
        raise Failed(f"a stream ended after {len(numbers)} events, [DONE]: {done}")


async def _whole(answer: aiohttp.ClientResponse, *, read: bool = True) -> None:
    if answer.status != 200:
        raise Failed(f"{answer.status} {answer.headers.get('x-outerloop-error')}")
    if read:
        await answer.read()


def _values(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def say(text: str) -> None:
    """Tell who runs the tests a figure."""
    sys.stdout.write(f"{text}\n")
