"""A terminal for tests: a program draws in it, and is typed to."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress

DEADLINE = 30.0


def wait_until(wanted: Callable[[], bool], what: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not wanted():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


class Terminal:
    """A terminal with a program in it; what the program draws is kept."""

    def __init__(self, *argv: str) -> None:
        self._ours, self._its = pty.openpty()
        self.resize(30, 100)
        self.before = termios.tcgetattr(self._its)
        self.drawn = b""
        env = {**os.environ, "TERM": "xterm-256color"}
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            env.pop(name, None)
        side = self._its
        self.popen = subprocess.Popen(argv, env=env, stdin=side, stdout=side, stderr=side)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def resize(self, height: int, width: int) -> None:
        fcntl.ioctl(self._its, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text.encode() in self.drawn, lambda: self.drawn.decode()[-5000:])

    def attributes(self) -> list[object]:
        return termios.tcgetattr(self._its)

    def close(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        os.close(self._its)
        self._reader.join(10)
        os.close(self._ours)

    def _read(self) -> None:
        # Reading fails when nobody has the other side any more.
        with suppress(OSError):
            while data := os.read(self._ours, 2**16):
                self.drawn += data
