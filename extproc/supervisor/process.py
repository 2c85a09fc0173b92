"""One process, what it says, and its end."""

from __future__ import annotations

import asyncio
import ctypes
import enum
import json
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Self

_PR_SET_PDEATHSIG: Final = 1


class Status(enum.StrEnum):
    """Where a child stands."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    DOWN = "down"


class Process:
    """A process that was started; see `Child` for what `control` is."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.status = Status.STARTING

    @classmethod
    async def start(cls, argv: Sequence[str], environ: Mapping[str, str], *, control: bool) -> Self:
        """Start `argv`. Raises OSError."""
        pipe = asyncio.subprocess.PIPE if control else None
        return cls(
            await asyncio.create_subprocess_exec(
                *argv,
                stdin=pipe if control else asyncio.subprocess.DEVNULL,
                stdout=pipe,
                # Ctrl-C is for the supervisor, which lets its children finish what runs.
                start_new_session=True,
                preexec_fn=_die_with_parent if not control else None,
                env=environ,
            )
        )

    @property
    def pid(self) -> int:
        """Its id, also when it has ended."""
        return self._process.pid

    def ask_to_end(self, *, by_signal: bool) -> None:
        """Send SIGTERM, or close its input."""
        if self._process.returncode is not None:
            return
        if by_signal or self._process.stdin is None:
            self._process.send_signal(signal.SIGTERM)
        else:
            self._process.stdin.close()

    async def wait(self) -> int:
        """Return the exit code when it has ended."""
        return await self._process.wait()

    async def kill(self) -> None:
        """End it, if it has not ended."""
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def words(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what it says, until it says nothing more. Without `control` that is at once."""
        stdout = self._process.stdout
        while stdout is not None and (line := await _line(stdout)) != b"":
            word = _decode(line)
            if word is not None:
                yield word


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


def describe(code: int) -> str:
    """Say how a process ended."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
