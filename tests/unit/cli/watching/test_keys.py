from __future__ import annotations

import asyncio
import io
import os
import pty
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress

import pytest

from extproc.cli.watching.keys import keys


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Make standard input a terminal; give the end at which somebody types."""
    typing, read = pty.openpty()
    with os.fdopen(read, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield typing
    with suppress(OSError):
        os.close(typing)


def flags() -> int:
    value = termios.tcgetattr(sys.stdin.fileno())[3]
    assert isinstance(value, int)
    return value


async def test_keys_come_at_once(terminal: int) -> None:
    before = flags()
    pressed: asyncio.Queue[str] = asyncio.Queue()
    with keys(pressed.put_nowait):
        assert not flags() & (termios.ECHO | termios.ICANON)
        os.write(terminal, b"q")
        assert await asyncio.wait_for(pressed.get(), 5) == "q"
    assert flags() == before


async def test_the_terminal_is_as_it_was_after_an_error(terminal: int) -> None:
    before = flags()

    def fail() -> None:
        with keys(print):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert flags() == before
    assert terminal


async def test_no_keys_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("q"))
    with keys(pytest.fail):
        await asyncio.sleep(0)


async def test_a_terminal_that_hangs_up(terminal: int) -> None:
    pressed: asyncio.Queue[str] = asyncio.Queue()
    with keys(pressed.put_nowait):
        os.close(terminal)
        assert await asyncio.wait_for(pressed.get(), 5) == ""
