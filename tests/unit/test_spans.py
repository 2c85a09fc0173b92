from __future__ import annotations

from extproc.spans import NoTracer, PassedOn, current, current_traceparent
from extproc.traceparent import trace_id

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_without_a_collector_the_context_is_passed_on() -> None:
    with NoTracer().span("x", PARENT, {"a": 1}) as span:
        span.set({"b": 2})
        span.fail("whatever")
        assert span.traceparent == PARENT


def test_a_trace_of_its_own_is_not_sampled() -> None:
    started = NoTracer().start()
    assert trace_id(started) is not None
    assert started.endswith("-00")


def test_calls_are_made_under_the_innermost_span() -> None:
    other = PARENT.replace("b7", "b8")
    assert current_traceparent() is None
    with current(PassedOn(PARENT)):
        with current(PassedOn(other)):
            assert current_traceparent() == other
        assert current_traceparent() == PARENT
    assert current_traceparent() is None
