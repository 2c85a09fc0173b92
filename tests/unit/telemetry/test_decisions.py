from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

from extproc.plan import FilterOutcome, FilterRecord
from extproc.recording import Outcome, Record
from extproc.telemetry.decisions import Decisions


def test_the_last_decisions_newest_first(record: Callable[..., Record]) -> None:
    decisions = Decisions(2)
    for request_id in ("one", "two", "three"):
        decisions.begin()
        decisions.end(record(request_id))
    assert [each["request_id"] for each in decisions.newest_first()] == ["three", "two"]
    assert [each["request_id"] for each in decisions.newest_first(1)] == ["three"]


def test_a_decision_as_it_is_shown(record: Callable[..., Record]) -> None:
    decisions = Decisions(1)
    decisions.end(record())
    [shown] = json.loads(json.dumps(decisions.newest_first()))
    assert datetime.fromisoformat(shown.pop("time")).tzinfo is not None
    assert shown == {
        "request_id": "r",
        "listener": "main",
        "outcome": "routed",
        "agent": "b",
        "plan": ["a", "b"],
        "source": "model",
        "cached": True,
        "confidence": 0.9877,
        "scores": {"a": 0.5},
        "ms": 250.0,
        "steps": [{"agent": "a", "outcome": "failed", "status": 503, "ms": 1500.0}],
        "filters": [],
        "exchange": "",
    }


def test_what_a_filter_refused_is_shown_without_a_decision(record: Callable[..., Record]) -> None:
    decisions = Decisions(2)
    refused = FilterRecord("guard", "input", FilterOutcome.DENIED, 2.5, note="override")
    decisions.end(record(outcome=Outcome.REJECTED, decision=None, filters=(refused,)))
    [shown] = decisions.newest_first()
    assert (shown["agent"], shown["plan"], shown["source"]) == (None, [], None)
    assert shown["filters"] == [
        {
            "filter": "guard",
            "phase": "input",
            "agent": None,
            "outcome": "denied",
            "note": "override",
            "ms": 2.5,
        }
    ]


def test_what_was_not_decided_is_not_shown(record: Callable[..., Record]) -> None:
    decisions = Decisions(2)
    decisions.end(record(outcome=Outcome.REJECTED, decision=None))
    assert decisions.newest_first() == []


def test_none_are_kept_where_none_are_asked_for(record: Callable[..., Record]) -> None:
    decisions = Decisions(0)
    decisions.end(record())
    assert decisions.newest_first() == []


def test_a_clients_request_id_cannot_fill_the_memory(record: Callable[..., Record]) -> None:
    decisions = Decisions(1)
    decisions.end(record("r" * 60_000))
    assert decisions.newest_first()[0]["request_id"] == "r" * 128


def test_what_was_captured_is_shown(record: Callable[..., Record]) -> None:
    decisions = Decisions(2)
    decisions.end(record(captured=(("user", "hi"), ("assistant", "hello"))))
    [shown] = decisions.newest_first()
    assert shown["messages"] == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
    ]
