"""One process that is kept running."""

from __future__ import annotations

import asyncio
import ctypes
import enum
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from extproc.supervisor.errors import StartError

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG: Final = 1
_BACKOFF: Final = (0.0, 0.2, 0.5, 1.0)
"""Seconds before a replacement starts, by deaths in a row: a worker is back within 2 s."""
_HEALTHY_AFTER: Final = 10.0
"""Seconds a process must have run for its death to count as the first again."""


class Status(enum.StrEnum):
    """Where a child stands."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    DOWN = "down"


class Child:
    """Keeps one command running until `stop`.

    With `control` the child's standard input and output are pipes: it writes JSON objects, a line
    each (the first says that it is ready), and ends when its input does, as it must when the
    supervisor is gone. `environ` is added to ours; `on_death` hears the process id of each that
    ended.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        control: bool = False,
        environ: Mapping[str, str] | None = None,
        on_death: Callable[[int], None] | None = None,
    ) -> None:
        self.name = name
        self._environ = environ or {}
        self._on_death = on_death
        self._status = Status.DOWN
        self.ready: dict[str, Any] = {}
        self._argv = argv
        self._control = control
        self._process: asyncio.subprocess.Process | None = None
        self._became_ready = asyncio.Event()

    @property
    def status(self) -> Status:
        """Where it stands; it changes while others run."""
        return self._status

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None else None

    async def run(self) -> None:
        """Start, and start again whenever it dies, until `stop`.

        Raises `StartError` where it dies before it was ready for the first time.
        """
        deaths = 0
        while not self._stopping:
            started = time.monotonic()
            code = await self._run_once()
            if self._stopping:
                return
            self._status = Status.DOWN
            if not self._became_ready.is_set():
                raise StartError(f"{self.name} could not start ({_describe(code)})")
            deaths = 1 if time.monotonic() - started > _HEALTHY_AFTER else deaths + 1
            delay = _BACKOFF[min(deaths, len(_BACKOFF)) - 1]
            log.error("%s died (%s); replacing it in %.1f s", self.name, _describe(code), delay)
            await asyncio.sleep(delay)

    @property
    def _stopping(self) -> bool:
        return self._status is Status.STOPPING

    async def wait_ready(self) -> None:
        """Return once it has been ready for the first time."""
        await self._became_ready.wait()

    def mark_ready(self) -> None:
        """Note that it serves; a child with `control` says so itself."""
        if self._status is Status.STARTING:
            self._status = Status.READY
        self._became_ready.set()

    async def stop(self, grace: float) -> None:
        """Send SIGTERM, and SIGKILL after `grace` seconds. Returns when it is gone."""
        self._status = Status.STOPPING
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await process.wait()
        except TimeoutError:
            log.warning("%s did not stop within %.0f s: killing it", self.name, grace)
            process.kill()
            await process.wait()

    async def _run_once(self) -> int:
        pipe = asyncio.subprocess.PIPE if self._control else None
        self._status = Status.STARTING
        self._process = process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=pipe if self._control else asyncio.subprocess.DEVNULL,
            stdout=pipe,
            # Ctrl-C is for the supervisor, which lets its children finish what runs.
            start_new_session=True,
            preexec_fn=_die_with_parent if not self._control else None,
            env={**os.environ, **self._environ},
        )
        try:
            if self._stopping:
                process.terminate()
            if process.stdout is not None:
                await self._listen(process.stdout)
            return await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            if self._on_death is not None:
                self._on_death(process.pid)

    async def _listen(self, stdout: asyncio.StreamReader) -> None:
        while (line := await _line(stdout)) != b"":
            word = _decode(line)
            if word is not None:
                self.ready = word
                self.mark_ready()


async def _line(stream: asyncio.StreamReader) -> bytes | None:
    """Return the next line, empty at the end, or None for one that is longer than any of ours."""
    try:
        return await stream.readline()
    except ValueError:
        return None


def _decode(line: bytes | None) -> dict[str, Any] | None:
    """Read what a child says; what a library prints there is not to end the supervisor."""
    try:
        word = json.loads(line or b"")
    except ValueError:
        return None
    return word if isinstance(word, dict) else None


_libc: Final = ctypes.CDLL(None)


def _die_with_parent() -> None:
    """Ask Linux to end the child when the supervisor is killed; elsewhere it stays."""
    prctl = getattr(_libc, "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _describe(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
