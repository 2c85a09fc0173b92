from __future__ import annotations

from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from extproc.config.model.root import Tracing
from extproc.spans import Kind
from extproc.telemetry.tracing import OtelTracer, otlp_exporter
from extproc.traceparent import trace_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = f"00-{TRACE}-00f067aa0ba902b7-01"


class Kept(SpanExporter):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS


def traced(config: Tracing | None = None) -> tuple[OtelTracer, Kept]:
    kept = Kept()
    return OtelTracer(config or Tracing(), kept), kept


def test_a_span_is_a_child_of_its_parent_and_names_itself_to_others() -> None:
    tracer, kept = traced()
    with tracer.span("step a", SAMPLED, {"outerloop.agent": "a"}) as span:
        span.set({"http.response.status_code": 503})
        span.fail("the agent failed")
        header = span.traceparent
    tracer.close()
    [exported] = kept.spans
    assert exported.parent is not None
    assert exported.context is not None
    assert f"{exported.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert header == f"00-{TRACE}-{exported.context.span_id:016x}-01"
    assert dict(exported.attributes or {}) == {
        "outerloop.agent": "a",
        "http.response.status_code": 503,
    }
    assert not exported.status.is_ok


@pytest.mark.parametrize("kind", ["internal", "server", "client"])
def test_a_span_says_whose_work_it_is(kind: Kind) -> None:
    tracer, kept = traced()
    with tracer.span("x", SAMPLED, {}, kind):
        pass
    tracer.close()
    assert kept.spans[0].kind.name == kind.upper()


def test_an_exception_is_not_recorded_for_it_may_quote_a_prompt() -> None:
    tracer, kept = traced()
    with pytest.raises(ValueError, match="secret"), tracer.span("x", SAMPLED, {}):
        raise ValueError("secret")
    tracer.close()
    assert not kept.spans[0].events
    assert "secret" not in kept.spans[0].to_json()


def test_who_started_the_trace_decided_about_sampling() -> None:
    tracer, kept = traced()
    unwanted = SAMPLED[:-1] + "0"
    with tracer.span("x", unwanted, {}) as span:
        assert span.traceparent == unwanted
    tracer.close()
    assert kept.spans == []


@pytest.mark.parametrize(("share", "flags"), [(100, "01"), (0, "00")])
def test_a_new_trace_is_sampled_as_often_as_the_file_says(share: int, flags: str) -> None:
    tracer, _ = traced(Tracing(random_sampling=share))
    started = tracer.start()
    tracer.close()
    assert trace_id(started) is not None
    assert started.endswith(flags)


def test_static_attributes_are_the_resources() -> None:
    tracer, kept = traced(Tracing.model_validate({"span_attributes": {"static": {"team": "x"}}}))
    with tracer.span("x", SAMPLED, {}):
        pass
    tracer.close()
    assert kept.spans[0].resource.attributes["team"] == "x"
    assert kept.spans[0].resource.attributes["service.name"] == "outerloop"


@pytest.mark.parametrize(
    ("endpoint", "module"),
    [
        ("http://127.0.0.1:4317", "proto.grpc"),
        ("https://collector:443", "proto.grpc"),
        ("http://127.0.0.1:4318", "proto.http"),
        ("http://127.0.0.1:4318/v1/traces", "proto.http"),
    ],
)
def test_the_port_tells_the_protocol(endpoint: str, module: str) -> None:
    exporter = otlp_exporter(endpoint)
    assert module in type(exporter).__module__
    exporter.shutdown()
