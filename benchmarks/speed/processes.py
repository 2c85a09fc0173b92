"""Processes that a run starts, and ends: none outlives it, and no other is touched."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from benchmarks.speed import usage

PYTHON: Final = sys.executable
_POLL: Final = 0.02
_FIRST: Final = 0.5
"""Seconds until processes are told a second time to stop."""
_SHOWN: Final = 20
"""Lines of the log of a process that did not start."""


class NotStarted(Exception):
    """A process did not do what it is for; the text says which, and what it said last."""


class Child:
    """One process; what it says goes to a file, and what it writes for a while beside that."""

    def __init__(
        self, name: str, argv: tuple[str, ...], folder: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(folder), **(env or {})},
            )
        self.pid = self._process.pid

    def line(self, prefix: str, within: float = 120.0) -> str:
        """Wait for a line that begins so, and return what follows. Raises `NotStarted`."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            ended = self._process.poll() is not None
            for line in self.said().splitlines():
                if line.startswith(prefix):
                    return line.removeprefix(prefix).strip()
            if ended:
                break
            time.sleep(_POLL)
        raise self.failed(f"did not say {prefix!r}")

    def said(self) -> str:
        """Return what it has said so far."""
        return self._log.read_text(errors="replace")

    def failed(self, what: str) -> NotStarted:
        """Return the error that says what is wrong with this process."""
        last = "\n".join(self.said().splitlines()[-_SHOWN:])
        return NotStarted(f"{self.name} {what}\n{last}")

    @property
    def runs(self) -> bool:
        """False once it has ended."""
        return self._process.poll() is None

    def tell_to_stop(self) -> None:
        """Ask it to end; a second time, to end at once."""
        self._process.terminate()

    def wait(self, within: float) -> None:
        """Wait until it has ended. Raises TimeoutError."""
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(self.name) from error

    def family(self) -> Iterator[tuple[int, int]]:
        """Yield it and what it has started: process ids, each with when it began."""
        with suppress(OSError):
            for pid in usage.family(self.pid):
                yield pid, usage.began(pid)

    def kill(self) -> None:
        """End it by force."""
        self._process.kill()
        self._process.wait()


class Children:
    """Processes that end together, with the block of code that they are for.

    Within `patience` seconds of being told a second time, or else by force.
    """

    def __init__(self, patience: float = 10.0) -> None:
        self._patience = patience
        self._children: list[Child] = []

    def start(
        self, name: str, argv: tuple[str, ...], folder: Path, env: Mapping[str, str] | None = None
    ) -> Child:
        """Start one more."""
        child = Child(name, argv, folder, env)
        self._children.append(child)
        return child

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        families = [member for child in self._children for member in child.family()]
        # What they still have to do for others has no use any more.
        for patience in (_FIRST, self._patience):
            for child in self._children:
                child.tell_to_stop()
            end = time.monotonic() + patience
            for child in self._children:
                with suppress(TimeoutError):
                    child.wait(max(0.0, end - time.monotonic()))
        for child in self._children:
            child.kill()
        for pid, began in families:
            # Whose parent ended at once may not have noticed yet.
            with suppress(OSError):
                if usage.began(pid) == began:
                    os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    """Return a port that nobody listens on, and that no connection gets as its own end."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(10_000, first), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise NotStarted("no port is free")


def get(url: str, method: str = "GET") -> str:
    """Return the body of an answer of a server of this run. Raises OSError for any but 200."""
    request = urllib.request.Request(url, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.read().decode())


def wait_for(url: str, child: Child, within: float = 120.0) -> None:
    """Wait until a server answers 200 there. Raises `NotStarted`."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            get(url)
        except OSError:
            if not child.runs:
                break
            time.sleep(_POLL)
        else:
            return
    raise child.failed("does not serve")
