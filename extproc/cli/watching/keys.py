"""Keys as they are pressed, without Enter and without an echo."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

_MOST: Final = 1024
"""Bytes that are read at once: what is pasted."""


@contextmanager
def keys(pressed: Callable[[str], None]) -> Iterator[None]:
    """Call `pressed` with what is typed, while the running loop runs; an empty text: hung up.

    Does nothing where standard input is no terminal. Leaves the terminal as it was.
    """
    if not sys.stdin.isatty():
        yield
        return
    number = sys.stdin.fileno()
    loop = asyncio.get_running_loop()
    before = termios.tcgetattr(number)

    def read() -> None:
        typed = _read(number)
        if not typed:
            loop.remove_reader(number)
        pressed(typed)

    tty.setcbreak(number)
    loop.add_reader(number, read)
    try:
        yield
    finally:
        loop.remove_reader(number)
        # The terminal may have gone.
        with suppress(termios.error):
            termios.tcsetattr(number, termios.TCSAFLUSH, before)


def _read(number: int) -> str:
    try:
        return os.read(number, _MOST).decode(errors="replace")
    except OSError:
        return ""
