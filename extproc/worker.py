"""One worker process: `python -m extproc.worker`, started by the supervisor only.

It serves the snapshot of the configuration that it is given, writes one JSON line when it is
ready, and drains on SIGTERM or when its standard input ends, that is when the supervisor is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from extproc.address import parse as parse_address
from extproc.config.load import ConfigError, loads
from extproc.config.model.root import Config, Tracing
from extproc.control import start as start_control
from extproc.egress import Egress
from extproc.logs import configure
from extproc.pipeline import Pipeline
from extproc.runtime import build
from extproc.server.lifecycle import Server
from extproc.telemetry.decisions import Decisions
from extproc.telemetry.metrics import Metrics
from extproc.telemetry.recorders import Recorders

if TYPE_CHECKING:
    # An extra, and slow to import: only a file that names a collector needs it.
    from extproc.telemetry.tracing import OtelTracer

log = logging.getLogger(__name__)


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
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await loop.connect_read_pipe(lambda: _EndOfInput(stop), sys.stdin)

    async with AsyncExitStack() as exits:
        try:
            server = await _start(options, exits)
        except (ConfigError, ValueError, OSError) as error:
            # A file that the configuration names may have changed since it was checked.
            sys.stderr.write(f"{error}\n")
            return 1
        # What was loaded stays: to look through it in each full collection takes some 0.2 s.
        gc.collect()
        gc.freeze()
        sys.stdout.write(json.dumps({"generation": options.generation}) + "\n")
        sys.stdout.flush()
        await stop.wait()
        await server.drain(options.notice, options.drain_time)
    return 0


async def _start(options: argparse.Namespace, exits: AsyncExitStack) -> Server:
    """Start all that a worker runs; `exits` ends what is left when its server was drained."""
    egress = Egress(parse_address(options.egress) if options.egress is not None else None)
    exits.push_async_callback(egress.close)
    config = _read(options)
    tracer = _tracer(config.tracing)
    if tracer is not None:
        exits.push_async_callback(asyncio.to_thread, tracer.close)
    runtime = build(config, generation=options.generation, caller=egress, way=egress, tracer=tracer)
    for service in runtime.services:
        await exits.enter_async_context(service)
    decisions = Decisions(config.observability.decisions)
    control = await start_control(options.control, decisions)
    exits.push_async_callback(control.cleanup)
    server = Server(Pipeline(runtime), Recorders(Metrics(), decisions))
    await server.start(options.bind)
    return server


def _read(options: argparse.Namespace) -> Config:
    text = options.snapshot.read_text(encoding="utf-8")
    return loads(text, options.file, os.environ, Path(options.file).parent).config


def _tracer(config: Tracing) -> OtelTracer | None:
    if config.otlp_endpoint is None:
        return None
    try:
        from extproc.telemetry.tracing import OtelTracer, otlp_exporter
    except ImportError as error:
        raise ValueError("tracing needs: pip install 'outerloop-extproc[otel]'") from error
    return OtelTracer(config, otlp_exporter(config.otlp_endpoint))


class _EndOfInput(asyncio.Protocol):
    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._stop.set()

    def eof_received(self) -> None:
        self._stop.set()


if __name__ == "__main__":
    sys.exit(main())
