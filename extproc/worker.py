"""One worker process: `python -m extproc.worker`, started by the supervisor only.

It serves the snapshot of the configuration that it is given, writes one JSON line when it is
ready, and drains on SIGTERM or when its standard input ends, that is when the supervisor is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

import uvloop

from extproc.address import parse as parse_address
from extproc.config.load import loads
from extproc.control import start as start_control
from extproc.egress import Egress
from extproc.logs import configure
from extproc.pipeline import Pipeline
from extproc.runtime import build
from extproc.server.lifecycle import Server
from extproc.telemetry.decisions import Decisions
from extproc.telemetry.metrics import Metrics
from extproc.telemetry.recorders import Recorders

log = logging.getLogger(__name__)


def main() -> int:
    """Run until told to stop; return the exit code."""
    options = _options()
    configure(options.log_level)
    # Ctrl-C in a terminal is the supervisor's affair.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(_serve(options))
    return 0


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
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await loop.connect_read_pipe(lambda: _EndOfInput(stop), sys.stdin)

    text = options.snapshot.read_text(encoding="utf-8")
    base = Path(options.file).parent
    config = loads(text, options.file, os.environ, base).config
    egress = Egress(parse_address(options.egress) if options.egress is not None else None)
    decisions = Decisions(config.observability.decisions)
    pipeline = Pipeline(build(config, generation=options.generation, caller=egress))
    server = Server(pipeline, Recorders(Metrics(), decisions))
    await server.start(options.bind)
    control = await start_control(options.control, decisions)
    sys.stdout.write(json.dumps({"generation": options.generation}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await server.drain(options.notice, options.drain_time)
    await control.cleanup()
    await egress.close()


class _EndOfInput(asyncio.Protocol):
    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._stop.set()

    def eof_received(self) -> None:
        self._stop.set()


if __name__ == "__main__":
    sys.exit(main())
