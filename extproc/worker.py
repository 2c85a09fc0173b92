"""One worker process: `python -m extproc.worker`, started by the supervisor only.

It serves the snapshot of the configuration that it is given, and later ones as `control` is told.
It writes a JSON line when it is ready and one when it was told to stop. After SIGTERM it serves on
until its standard input ends, as its successor serves then, and gives those who send requests
notice. Without SIGTERM the supervisor or the gateway is gone: it stops at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import uvloop

from extproc.address import parse as parse_address
from extproc.availability import Availability
from extproc.certificates import ServerTls
from extproc.config.load import ConfigError, loads
from extproc.config.model.root import Config
from extproc.control import Control
from extproc.egress import Egress
from extproc.generations import Generations, freeze
from extproc.logs import configure
from extproc.server.lifecycle import Server
from extproc.telemetry.decisions import Decisions
from extproc.telemetry.metrics import Metrics
from extproc.telemetry.recorders import Recorders

log = logging.getLogger(__name__)

_SUCCEEDED_WITHIN: Final = 30.0
"""Seconds that one serves on after SIGTERM while no successor is ready."""


def main() -> int:
    """Run until told to stop; return the exit code."""
    options = _options()
    configure(options.log_level)
    # Ctrl-C in a terminal is the supervisor's affair.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return uvloop.run(_serve(options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="outerloop worker")
    parser.add_argument("--snapshot", type=Path, required=True)
    parser.add_argument("--file", required=True, help="name of the file in messages")
    parser.add_argument("--bind", required=True)
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--egress")
    parser.add_argument("--generation", type=int, default=1)
    parser.add_argument("--notice", type=float, required=True)
    parser.add_argument("--drain-time", type=float, required=True)
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--tls-certificate")
    parser.add_argument("--tls-key")
    parser.add_argument("--tls-client-ca")
    parser.add_argument("--tls-client-san", action="append", default=[])
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> int:
    stop = _Stop(options.notice)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.after_notice)
    await loop.connect_read_pipe(lambda: _EndOfInput(stop.at_once), sys.stdin)

    async with AsyncExitStack() as exits:
        try:
            server = await _start(options, exits)
        except (ConfigError, ValueError, OSError) as error:
            # A file that the configuration names may have changed since it was checked.
            sys.stderr.write(f"{error}\n")
            return 1
        freeze()
        _say({"generation": options.generation})
        await stop.wait()
        _say({"stopping": True})
        await stop.relieved(_SUCCEEDED_WITHIN)
        await server.drain(stop.notice, options.drain_time)
    return 0


async def _start(options: argparse.Namespace, exits: AsyncExitStack) -> Server:
    """Start all that a worker runs; `exits` ends what is left when its server was drained."""
    egress = Egress(parse_address(options.egress) if options.egress is not None else None)
    exits.push_async_callback(egress.close)
    availability = Availability()
    tasks = await exits.enter_async_context(asyncio.TaskGroup())
    generations = Generations(partial(_read, options.file), egress, availability, tasks)
    exits.push_async_callback(generations.close)
    config = await generations.prepare(options.snapshot, options.generation)
    decisions = Decisions(config.observability.decisions)
    metrics = Metrics()
    exits.callback(metrics.tell)
    server = generations.commit(options.generation, Recorders(metrics, decisions))
    control = await Control(generations, decisions, availability, metrics).start(options.control)
    exits.push_async_callback(control.cleanup)
    await server.start(options.bind, _tls(options))
    return server


def _tls(options: argparse.Namespace) -> ServerTls | None:
    if options.tls_certificate is None:
        return None
    return ServerTls(
        options.tls_certificate,
        options.tls_key,
        options.tls_client_ca,
        tuple(options.tls_client_san),
    )


def _read(file: str, snapshot: Path) -> Config:
    text = snapshot.read_text(encoding="utf-8")
    return loads(text, file, os.environ, Path(file).parent).config


def _say(word: dict[str, Any]) -> None:
    # Who started it may have been killed: what runs is finished all the same.
    with suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), json.dumps(word).encode() + b"\n")


class _Stop:
    """Whether to stop, and for how many seconds to serve on after saying so."""

    def __init__(self, notice: float) -> None:
        self.notice = notice
        self._told = asyncio.Event()
        self._relieved = asyncio.Event()

    def after_notice(self) -> None:
        """Stop when there is a successor, and whoever sends requests has had time to notice."""
        self._told.set()

    def at_once(self) -> None:
        """Stop: there is a successor, or nobody who sends requests any more."""
        if not self._told.is_set():
            self.notice = 0.0
        self._told.set()
        self._relieved.set()

    async def wait(self) -> None:
        """Return when it was told."""
        await self._told.wait()

    async def relieved(self, within: float) -> None:
        """Return when there is a successor, or will be none."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._relieved.wait()


class _EndOfInput(asyncio.Protocol):
    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._stop()

    def eof_received(self) -> None:
        self._stop()


if __name__ == "__main__":
    sys.exit(main())
