"""Spans by OpenTelemetry, exported over OTLP. Needs the extra `otel`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from extproc import traceparent
from extproc.config.model.root import Tracing
from extproc.names import HEADER_TRACEPARENT
from extproc.otlp import parse_collector
from extproc.spans import Attributes, Kind, PassedOn, Span

_SERVICE: Final = "outerloop"
_KINDS: Final = MappingProxyType(
    {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}
)


class _Span:
    is_recording = True

    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        flags = int(context.trace_flags)
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(dict(attributes))

    def fail(self, reason: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, reason))


class OtelTracer:
    """Exports the spans of one worker in the background. `close` sends what is left."""

    exports = True

    def __init__(self, config: Tracing, exporter: SpanExporter) -> None:
        self._share = config.random_sampling / 100
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": _SERVICE, **config.span_attributes.static}),
            # Every span has a parent: who started the trace has decided about it.
            sampler=ParentBased(ALWAYS_ON),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(_SERVICE)
        self._propagator = TraceContextTextMapPropagator()

    def start(self) -> str:
        """Return the header of a new trace, sampled as often as the file says."""
        return traceparent.start(sampled=random.random() < self._share)  # noqa: S311 - no secret

    def span(
        self, name: str, parent: str, attributes: Attributes, kind: Kind = "internal"
    ) -> AbstractContextManager[Span]:
        """Return a span under `parent` that ends with the context; one not sampled is its parent.

        Exceptions are not recorded: they may quote a prompt.
        """
        if not traceparent.is_sampled(parent):
            return PassedOn(parent)
        return self._start(name, parent, attributes, kind)

    @contextmanager
    def _start(self, name: str, parent: str, attributes: Attributes, kind: Kind) -> Iterator[Span]:
        context = self._propagator.extract({HEADER_TRACEPARENT: parent})
        span = self._tracer.start_span(name, context, _KINDS[kind], dict(attributes))
        try:
            yield _Span(span)
        finally:
            span.end()

    def close(self) -> None:
        """Export what is left and stop; waits for the collector, so not on the event loop."""
        self._provider.shutdown()


def otlp_exporter(endpoint: str) -> SpanExporter:
    """Return an exporter to a collector, by the protocol that it speaks."""
    collector = parse_collector(endpoint)
    if collector.path is not None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

        return Http(endpoint=collector.url)
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

    return Grpc(endpoint=collector.url, insecure=not collector.origin.tls)
