"""`outerloop top`: a running stack, watched in a terminal."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live

from extproc.address import SocketAddress
from extproc.cli.asking import address_of, ask
from extproc.cli.failures import Failure
from extproc.cli.watching.keys import keys
from extproc.cli.watching.look import PATH_DECISIONS, PATH_STATUS, Look, understand
from extproc.cli.watching.output import on_terminal, write
from extproc.cli.watching.page import Size, page

_QUIT: Final = frozenset("qQ")
"""Keys. Ctrl-C comes as a signal."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was given. `interval`: seconds between two looks."""

    file: Path | None
    admin: str | None
    interval: float
    once: bool
    as_json: bool


def top(options: Options) -> None:
    """Show the stack until `q`, or once. Raises `Failure` where none answers at the start."""
    address = address_of(options.file, options.admin)
    if options.as_json:
        click.echo(json.dumps(asyncio.run(_ask(address))))
    elif options.once or not on_terminal():
        write(line.plain for line in page(asyncio.run(_look(address))))
    else:
        asyncio.run(_watch(address, options.interval))


class _Watched:
    """What stands on the screen: the last look, drawn to the size that the terminal now has."""

    def __init__(self, address: SocketAddress, first: Look) -> None:
        self._address = address
        self._look = first
        self._before: Look | None = None
        self._trouble = ""

    async def look_again(self) -> None:
        """Look; where nobody answers, keep what was seen last and say so."""
        try:
            look = await _look(self._address)
        except Failure as error:
            self._trouble = str(error)
        else:
            self._before, self._look, self._trouble = self._look, look, ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        size = Size(options.max_width, console.height)
        yield from page(self._look, self._before, size, self._trouble)


async def _watch(address: SocketAddress, interval: float) -> None:
    watched = _Watched(address, await _look(address))
    ended = asyncio.Event()

    async def look() -> None:
        while True:
            await asyncio.sleep(interval)
            await watched.look_again()
            live.refresh()

    def pressed(typed: str) -> None:
        if not typed or _QUIT & set(typed):
            ended.set()

    with Live(watched, screen=True, auto_refresh=False) as live, keys(pressed):
        _handle_signals(ended.set, live.refresh)
        live.refresh()
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(look())
            await ended.wait()
            looking.cancel()


def _handle_signals(end: Callable[[], None], draw: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGWINCH, draw)
    # The shell would go on in our screen, without a cursor.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)


async def _look(address: SocketAddress) -> Look:
    status = await ask(address, PATH_STATUS, dict)
    return await ask(address, PATH_DECISIONS, partial(understand, time.monotonic(), status))


async def _ask(address: SocketAddress) -> dict[str, Any]:
    return {
        "status": await ask(address, PATH_STATUS, dict),
        "decisions": await ask(address, PATH_DECISIONS, list),
    }
