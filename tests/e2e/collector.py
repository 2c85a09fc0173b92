"""A collector of spans: OTLP over gRPC and over HTTP, on free ports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as otlp_grpc

DEADLINE = 40.0
"""Seconds: Envoy and the processor send what they have every five."""


@dataclass(frozen=True)
class Span:
    """One span as it came."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    kind: int
    failed: bool
    attributes: dict[str, Any]


@dataclass
class Collector(otlp_grpc.TraceServiceServicer):
    """Keeps the spans that it gets."""

    spans: list[Span] = field(default_factory=list)
    seen: str = ""
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the service's name
        self.take(request)
        return otlp.ExportTraceServiceResponse()

    def take(self, request: Any) -> None:
        self.seen += str(request)
        for resource in request.resource_spans:
            service = _values(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [_span(service, each) for each in scope.spans]

    def trace(self, trace: str, whole: Callable[[list[Span]], bool]) -> list[Span]:
        """Return the spans of a trace when it is `whole`, or when time is over."""
        end = time.monotonic() + DEADLINE
        while True:
            found = [span for span in self.spans if span.trace == trace]
            if whole(found) or time.monotonic() > end:
                return found
            time.sleep(0.05)


def _values(attributes: Any) -> dict[str, Any]:
    def value(of: Any) -> Any:
        which = of.WhichOneof("value")
        if which == "array_value":
            return [value(each) for each in of.array_value.values]
        return getattr(of, which) if which else None

    return {each.key: value(each.value) for each in attributes}


def _span(service: str, span: Any) -> Span:
    return Span(
        service=service,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=span.kind,
        failed=span.status.code == span.status.STATUS_CODE_ERROR,
        attributes=_values(span.attributes),
    )


@contextmanager
def over_grpc() -> Iterator[Collector]:
    """Run a collector that speaks gRPC."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    otlp_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call] # generated
    collector.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield collector
    finally:
        server.stop(0).wait()


@contextmanager
def over_http() -> Iterator[Collector]:
    """Run a collector that speaks HTTP."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if self.path == "/v1/traces":
                collector.take(otlp.ExportTraceServiceRequest.FromString(self.body()))
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def body(self) -> bytes:
            if "content-length" in self.headers:
                return self.rfile.read(int(self.headers["content-length"]))
            chunks = b""
            while size := int(self.rfile.readline(), 16):
                chunks += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return chunks

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield collector
        server.shutdown()
