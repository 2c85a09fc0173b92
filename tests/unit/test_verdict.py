from __future__ import annotations

from extproc.forwarding import Trail
from extproc.plan import Decision, Plan, Source
from extproc.verdict import form_of, step_headers, verdict_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRAIL = Trail(f"00-{TRACE}-00f067aa0ba902b7-00", loops=2)
DECISION = Decision(
    "main", Plan(("a", "b"), Source.EMBEDDED, 0.87654), cached=True, milliseconds=1.23456
)


def test_the_last_agent_is_told_of_the_plan_and_of_the_way() -> None:
    assert dict(verdict_of(DECISION, TRAIL).headers) == {
        "x-outerloop-agent": "b",
        "x-outerloop-plan": "a,b",
        "x-outerloop-step": "2/2",
        "x-outerloop-source": "embedded",
        "x-outerloop-confidence": "0.88",
        "x-outerloop-listener": "main",
        "traceparent": TRAIL.traceparent,
        "outerloop-hops": "2",
    }


def test_logs_are_told_the_same_and_how_long_it_took() -> None:
    assert verdict_of(DECISION, TRAIL).metadata == {
        "trace_id": TRACE,
        "agent": "b",
        "plan": "a,b",
        "source": "embedded",
        "cached": True,
        "decision_ms": 1.235,
        "confidence": 0.8765,
    }


def test_earlier_agents_are_told_which_step_they_are() -> None:
    headers = dict(step_headers(DECISION, 0))
    assert (headers["x-outerloop-agent"], headers["x-outerloop-step"]) == ("a", "1/2")


def test_there_is_one_form_of_each() -> None:
    form = form_of("main", ("a",), Source.RULE, False)
    assert form is form_of("main", ("a",), Source.RULE, False)
    assert form != form_of("main", ("a",), Source.RULE, True)
