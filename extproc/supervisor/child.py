"""One command that is kept running, by one process after another."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from extproc.supervisor.errors import StartError
from extproc.supervisor.process import Process, Status, describe

__all__ = ["Child", "Command", "Status"]

log = logging.getLogger(__name__)

_BACKOFF: Final = (0.0, 0.2, 0.5, 1.0)
"""Seconds before a replacement starts, by deaths in a row: a worker is back within 2 s."""
_FOUND_WITHIN: Final = 1.0
"""Seconds until whoever sends requests has found a successor that is ready."""
_HEALTHY_AFTER: Final = 10.0
"""Seconds a process must have run for its death to count as the first again."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: `argv` returns the command line, given how many were told to stop before.

    With `control` standard input and output are pipes: a process writes JSON objects, a line each:
    what it has to say when it is ready, and `{"stopping": true}` when somebody told it to stop. It
    ends when its input does, as it must when the supervisor is gone, and is told so to stop unless
    `by_signal`. One that others told to stop is replaced when it has ended; with `overlapping` at
    once, though never beside the one before it, and its input ends when its successor is ready.
    `environ` is added to ours. `prepare` is awaited before the first process starts.
    """

    name: str
    argv: Callable[[int], Sequence[str]]
    control: bool = False
    by_signal: bool = True
    overlapping: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], Awaitable[None]] | None = None


class Child:
    """Keeps one command running until `stop`; `on_death` hears which processes ended."""

    def __init__(self, command: Command, on_death: Callable[[int], None] | None = None) -> None:
        self.name = command.name
        self.ready: dict[str, Any] = {}
        self.deaths = 0
        """How many of its processes died and were replaced."""
        self._command = command
        self._on_death = on_death
        self._told_to_stop = False
        self._current: Process | None = None
        self._leaving: Process | None = None
        self._became_ready = asyncio.Event()

    @property
    def status(self) -> Status:
        """Where it stands; it changes while others run."""
        if self._told_to_stop:
            return Status.STOPPING
        return self._current.status if self._current is not None else Status.DOWN

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._current.pid if self._current is not None else None

    @property
    def is_leaving(self) -> bool:
        """True while one runs that others told to stop, and which serves until it has ended."""
        return self._leaving is not None or self.status is Status.STOPPING

    async def run(self) -> None:
        """Start, and start again whenever it dies, until `stop`.

        Raises `StartError` where it dies before it was ready for the first time, and what its
        preparation raises.
        """
        if self._command.prepare is not None:
            await self._command.prepare()
        try:
            async with asyncio.TaskGroup() as ends:
                await self._keep_running(ends)
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _keep_running(self, ends: asyncio.TaskGroup) -> None:
        in_a_row = turn = 0
        while not self._told_to_stop:
            started = time.monotonic()
            code = await self._run_once(turn, ends)
            if self._told_to_stop:
                return
            if code is None:
                log.info("%s was told to stop; its successor starts", self.name)
                turn += 1
                continue
            if not self._became_ready.is_set():
                raise StartError(f"{self.name} could not start ({describe(code)})")
            self.deaths += 1
            in_a_row = 1 if time.monotonic() - started > _HEALTHY_AFTER else in_a_row + 1
            delay = _BACKOFF[min(in_a_row, len(_BACKOFF)) - 1]
            log.error("%s died (%s); replacing it in %.1f s", self.name, describe(code), delay)
            await asyncio.sleep(delay)

    async def wait_ready(self) -> None:
        """Return once it has been ready for the first time."""
        await self._became_ready.wait()

    def mark_ready(self) -> None:
        """Note that it serves; a child with `control` says so itself."""
        if self._current is not None and self._current.status is Status.STARTING:
            self._current.status = Status.READY
        self._became_ready.set()

    async def stop(self, grace: float) -> None:
        """Ask it to end, and kill it after `grace` seconds. Returns when it is gone."""
        self._told_to_stop = True
        async with asyncio.TaskGroup() as group:
            for process in filter(None, (self._leaving, self._current)):
                group.create_task(self._stop(process, grace))

    async def _stop(self, process: Process, grace: float) -> None:
        process.ask_to_end(by_signal=self._command.by_signal)
        try:
            async with asyncio.timeout(grace):
                await process.wait()
        except TimeoutError:
            log.warning("%s did not stop within %.0f s: killing it", self.name, grace)
            await process.kill()

    async def _run_once(self, turn: int, ends: asyncio.TaskGroup) -> int | None:
        """Return the exit code, or None where it stopped by itself and is to be replaced."""
        command = self._command
        process = self._current = await Process.start(
            command.argv(turn), {**os.environ, **command.environ}, control=command.control
        )
        try:
            if self._told_to_stop:
                process.ask_to_end(by_signal=self._command.by_signal)
            async for word in process.words():
                if not word.get("stopping"):
                    self.ready = word
                    self.mark_ready()
                    if self._leaving is not None:
                        ends.create_task(_relieve(self._leaving))
                    continue
                process.status = Status.STOPPING
                if self._command.overlapping and not self._told_to_stop:
                    if self._leaving is not None:
                        await self._leaving.wait()
                    self._leaving = process
                    return None
                process.ask_to_end(by_signal=False)
            code = await process.wait()
            return None if process.status is Status.STOPPING and not code else code
        finally:
            if self._leaving is process:
                ends.create_task(self._see_off(process))
            else:
                await process.kill()
                await self._see_off(process)

    async def _see_off(self, process: Process) -> None:
        try:
            await process.wait()
        finally:
            await process.kill()
            process.status = Status.DOWN
            if self._leaving is process:
                self._leaving = None
            if self._on_death is not None:
                self._on_death(process.pid)


async def _relieve(process: Process) -> None:
    """Let it end, now that its successor serves."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_FOUND_WITHIN):
            await process.wait()
    process.ask_to_end(by_signal=False)
