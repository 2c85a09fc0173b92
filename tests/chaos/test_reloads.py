"""The configuration changes again and again while requests and streams run."""

from __future__ import annotations

import asyncio
import itertools
import re
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.chaos.conftest import Admin, Configuration, eventually, resident
from tests.chaos.load import Load, say

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

ROUNDS = 5
WITHIN = 5.0
pytestmark = pytest.mark.timeout(300)


class Changes:
    """Changes the file of a running stack, each time in another way; ten ways are a round."""

    def __init__(self, stack: Stack, admin: Admin, file: Path, load: Load) -> None:
        self._stack, self._admin, self._file, self._load = stack, admin, file, load
        self.seconds: list[float] = []
        self._numbers = itertools.count(2)
        self._never = itertools.count(1000)

    async def round(self, last: Configuration) -> Configuration:
        """Change what there is, in the end as it was; return it with its number."""
        now = await self._apply(replace(last, extra=True), self._by_rename)
        now = await self._apply(replace(now, extra=False), self._in_place)
        now = await self._apply(now, self._by_rename)
        now = await self._apply(replace(now, weight=130 - now.weight), self._in_place)
        now = await self._apply(replace(now, ruled=not now.ruled), self._by_signal)
        now = await self._apply(replace(now, confidence=0.5), self._in_two_writes)
        await self._break("version: [v1\nagents: {left-", self._in_place)
        now = await self._apply(replace(now, confidence=0.55), self._by_rename)
        await self._break(str(now).replace("agents: [left-", "agents: [nobody-"), self._by_rename)
        return await self._apply(now, self._in_place)

    async def _apply(
        self, wanted: Configuration, write: Callable[[str], Awaitable[None]]
    ) -> Configuration:
        new = replace(wanted, number=next(self._numbers))
        before = (await self._admin.ready())["generation"]
        self._load.allowed.add(new.number)
        await self._until(write(str(new)), lambda told: told["generation"] > before)
        self._load.in_force = new.number
        return new

    async def _break(self, text: str, write: Callable[[str], Awaitable[None]]) -> None:
        before = await self._admin.config()

        def is_rejected(told: dict[str, object]) -> bool:
            last = told["last_reload"]
            return isinstance(last, dict) and last != before["last_reload"] and last["errors"]

        await self._until(write(text), is_rejected)
        assert (await self._admin.config())["generation"] == before["generation"]

    async def _until(
        self, written: Awaitable[None], is_so: Callable[[dict[str, object]], object]
    ) -> None:
        await written
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(WITHIN):
            while not is_so(await self._admin.config()):
                await asyncio.sleep(0.02)
        self.seconds.append(loop.time() - began)

    async def _by_rename(self, text: str) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(text)
        new.rename(self._file)

    async def _in_place(self, text: str) -> None:
        self._file.write_text(text)

    async def _by_signal(self, text: str) -> None:
        await self._by_rename(text)
        self._stack.process.popen.send_signal(signal.SIGHUP)

    async def _in_two_writes(self, text: str) -> None:
        """Write a whole configuration that nobody means first: only what follows makes it so."""
        number = str(next(self._never))
        half = re.sub(r"(left|right)-\d+", rf"\g<1>-{number}", text)
        with self._file.open("w") as file:
            file.write(half)
            file.flush()
            await asyncio.sleep(0.1)
            file.seek(0)
            file.truncate()
            file.write(text)


async def test_50_reloads_fail_nothing(
    up: Callable[..., Stack],
    configuration: Configuration,
    file: Path,
    http: aiohttp.ClientSession,
) -> None:
    stack = up("--workers", "3")
    admin = Admin(stack.admin, http)
    supervisor = stack.process.popen.pid
    now = configuration
    async with Load(stack.url) as load:
        changes = Changes(stack, admin, file, load)
        now = await changes.round(now)
        pids = [supervisor, (await admin.ready())["envoy"]["pid"], *await admin.pids()]
        before = [resident(pid) for pid in pids]
        for _ in range(ROUNDS - 1):
            now = await changes.round(now)
        after = [resident(pid) for pid in pids]
        assert pids[2:] == await admin.pids()
    seconds = changes.seconds
    say(f"{len(seconds)} reloads: {load.report}")
    say(f"in force within {max(seconds):.2f} s, on average {sum(seconds) / len(seconds):.2f} s")
    say(
        "MiB of supervisor, Envoy, workers: "
        + ", ".join(f"{b >> 20} -> {a >> 20}" for b, a in zip(before, after, strict=True))
    )
    assert (load.report.failures, load.report.cuts) == ({}, {})
    assert len(seconds) == ROUNDS * 10
    assert all(a < 2 * b for b, a in zip(before, after, strict=True))
    await eventually(lambda: numbers(run_folder(pids[2])) == {now.number})


def run_folder(worker: int) -> Path:
    """The folder of a run, which a worker's command line names."""
    arguments = Path(f"/proc/{worker}/cmdline").read_text().split("\0")
    return Path(arguments[arguments.index("--control") + 1]).parent


def numbers(folder: Path) -> set[int]:
    """Generations that snapshots and Envoy's files tell of."""
    files = [*folder.glob("outerloop-*.yaml"), *(folder / "envoy").iterdir()]
    texts = [file.read_text() for file in files]
    names = [file.name for file in files]
    found = re.findall(r"(?:left|right)-(\d+)", "\n".join(texts + names))
    return {int(number) for number in found}
