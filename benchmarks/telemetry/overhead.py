"""Measure what being seen costs the processor: CPU time for each request.

usage: overhead.py [--rounds N] [--requests N]

Workers that serve the same configuration take turns in one run, each for a round of requests:
    off     no metrics, no decisions kept, no spans; the baseline
    kept    metrics and decisions
    1 %     metrics, decisions, and spans of one request in a hundred, sent to a collector
    100 %   the same, of every request

The access log is Envoy's: the processor gives it what it says in all of them. CPU time is what the
kernel has counted for the worker's process, its thread that exports spans included.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import uvloop

from extproc._pb import outerloop_ext_proc_pb2 as pb
from extproc.traceparent import start

METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
TEXT = "Which flights go to Oslo on Friday? " * 25
BODY = ('{"model":"b","messages":[{"role":"user","content":"' + TEXT + '"}]}').encode()
YAML = """
version: v1
agents: [{{id: a, url: "http://127.0.0.1:1"}}, {{id: b, url: "http://127.0.0.1:1"}}]
listeners: [{{name: l, port: 0, agents: [{{id: a}}, {{id: b}}]}}]
tracing: {{otlp_endpoint: "http://127.0.0.1:{port}"}}
"""
AT_ONCE = 8
SHARES = {"off": None, "kept": 0.0, "1 %": 0.01, "100 %": 1.0}
"""Of requests that are sampled; None: nothing is kept at all."""
TICK = os.sysconf("SC_CLK_TCK")


async def serve(port: int, address: str, *, kept: bool) -> None:
    """Be one worker, until standard input ends."""
    from extproc.config.load import loads
    from extproc.egress import Egress
    from extproc.generations import freeze
    from extproc.pipeline import Pipeline
    from extproc.runtime import build
    from extproc.server.lifecycle import Server
    from extproc.telemetry.decisions import Decisions
    from extproc.telemetry.metrics import Metrics
    from extproc.telemetry.recorders import Recorders
    from extproc.telemetry.tracing import OtelTracer, otlp_exporter

    config = loads(YAML.format(port=port), "benchmark", {}, Path()).config
    endpoint = config.tracing.otlp_endpoint or ""
    tracer = OtelTracer(config.tracing, otlp_exporter(endpoint)) if kept else None
    runtime = build(config, generation=1, caller=Egress(), tracer=tracer)
    recorders = Recorders(Metrics(), Decisions(200)) if kept else Recorders()
    server = Server(Pipeline(runtime), recorders)
    await server.start(address)
    freeze()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await server.drain(0, 0)


class Worker:
    """One such process, and a channel to it."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        self.name, self.share = name, SHARES[name]
        address = f"unix:{folder}/{list(SHARES).index(name)}.sock"
        metrics = folder / f"metrics-{list(SHARES).index(name)}"
        metrics.mkdir()
        kept = [] if self.share is None else ["--kept"]
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", address, "--port", str(port), *kept],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(metrics)},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        self._call = grpc.aio.insecure_channel(address).stream_stream(METHOD)
        self.microseconds: list[float] = []

    def cpu(self) -> float:
        """Return the seconds that its process has worked."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    async def round(self, requests: int) -> None:
        """Send that many requests, and note the CPU time of one."""
        before = self.cpu()
        todo = iter(range(requests))

        async def work() -> None:
            for number in todo:
                await self._request(number)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        self.microseconds.append((self.cpu() - before) / requests * 1e6)

    async def _request(self, number: int) -> None:
        wanted = self.share is not None and number % 100 < self.share * 100
        stream = self._call(metadata=(("traceparent", start(sampled=wanted)),))
        await stream.write(HEADERS)
        await stream.read()
        await stream.write(WHOLE)
        answer = pb.ProcessingResponse.FromString(await stream.read())
        assert answer.request_body.response.clear_route_cache

    def stop(self) -> None:
        """End its process."""
        self._process.kill()
        self._process.wait()


def _headers() -> bytes:
    message = pb.ProcessingRequest()
    pairs = {":method": "POST", ":path": "/v1/chat/completions", "x-request-id": "r" * 36}
    for name, value in pairs.items():
        message.request_headers.headers.headers.add(key=name, raw_value=value.encode())
    message.protocol_config.request_body_mode = pb.BUFFERED
    return message.SerializeToString()


HEADERS = _headers()
WHOLE = pb.ProcessingRequest(
    request_body=pb.HttpBody(body=BODY, end_of_stream=True)
).SerializeToString()


@contextlib.asynccontextmanager
async def collector() -> AsyncIterator[int]:
    """Run a collector that throws everything away; give its port."""
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as otlp_grpc

    class Collector(otlp_grpc.TraceServiceServicer):
        def Export(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802 - gRPC's
            return otlp.ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(1))
    otlp_grpc.add_TraceServiceServicer_to_server(Collector(), server)  # type: ignore[no-untyped-call] # generated
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(0).wait()


async def measure(rounds: int, requests: int) -> list[Worker]:
    """Let the workers take turns; return them with their figures."""
    with tempfile.TemporaryDirectory() as folder:
        async with collector() as port:
            workers = [Worker(Path(folder), name, port) for name in SHARES]
            try:
                for worker in workers:
                    await worker.round(requests)
                    worker.microseconds.clear()  # It was cold.
                for number in range(rounds):
                    # Whoever comes after the busiest is not always the same.
                    turn = number % len(workers)
                    for worker in (*workers[turn:], *workers[:turn]):
                        await worker.round(requests)
            finally:
                for worker in workers:
                    worker.stop()
    return workers


def main() -> None:
    """Measure and print, or be a worker."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--kept", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        uvloop.run(serve(options.port, options.serve, kept=options.kept))
        return
    workers = asyncio.run(measure(options.rounds, options.requests))
    off = statistics.median(workers[0].microseconds)
    print(f"{'':8}{'µs CPU a request':>18}{'least - most':>18}{'of `off`':>10}")
    for worker in workers:
        median = statistics.median(worker.microseconds)
        spread = f"{min(worker.microseconds):.0f} - {max(worker.microseconds):.0f}"
        print(f"{worker.name:8}{median:18.0f}{spread:>18}{median / off:10.2f}")


if __name__ == "__main__":
    main()
