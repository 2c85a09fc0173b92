from __future__ import annotations

from typing import Any

import pytest

from extproc.errors import Reject
from extproc.http import Headers
from extproc.plan import Decision, FilterOutcome, FilterRecord, Plan, Source
from extproc.recording import Outcome, Record
from extproc.request_span import close, of_plan, of_request
from extproc.spans import Attributes


class Kept:
    traceparent = ""
    is_recording = True

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}
        self.failed = ""

    def set(self, attributes: Attributes) -> None:
        self.attributes |= attributes

    def fail(self, reason: str) -> None:
        self.failed = reason


def record(outcome: Outcome, **changes: Any) -> Record:
    return Record("id", "travel", outcome, **changes)


def test_headers_are_told_by_their_prefixes_and_credentials_never() -> None:
    headers = Headers(
        (
            ("x-acme-user", "u"),
            ("x-acme-user", "v"),
            ("x-other", "o"),
            ("authorization", "Bearer sk"),
            ("x-api-key", "sk"),
            ("cookie", "c"),
        )
    )
    told = of_request("travel", headers, ("x-acme-", "authorization", "cookie", "x-api"))
    assert told == {
        "outerloop.listener": "travel",
        "http.request.header.x-acme-user": ["u", "v"],
    }
    assert of_request("travel", headers, ()) == {"outerloop.listener": "travel"}


def test_what_clients_send_is_bounded() -> None:
    headers = Headers(tuple((f"x-{number}", "v" * 1000) for number in range(100)))
    told = of_request("travel", headers, ("x-",))
    assert len(told) == 33
    assert {len(value[0]) for name, value in told.items() if isinstance(value, list)} == {256}


def test_a_decision_has_its_best_scores() -> None:
    scores = {f"a{number}": number / 100 for number in range(50)}
    told = of_plan(Plan(("a49",), Source.EMBEDDED, 0.98765, scores), cached=True)
    assert told["outerloop.plan"] == ("a49",)
    assert (told["outerloop.source"], told["outerloop.cached"]) == ("embedded", True)
    assert told["outerloop.confidence"] == 0.9877
    shown = told["outerloop.scores"]
    assert isinstance(shown, list)
    assert len(shown) == 10
    assert shown[0] == "a49=0.4900"


def test_a_routed_request_says_where_to() -> None:
    span = Kept()
    decision = Decision("travel", Plan(("a", "b"), Source.RULE), cached=False, milliseconds=1.0)
    ran = (FilterRecord("guard", "input", FilterOutcome.PASSED, 1.0),)
    close(span, record(Outcome.ROUTED, decision=decision, filters=ran), None)
    assert span.attributes == {
        "outerloop.outcome": "routed",
        "outerloop.agent": "b",
        "outerloop.plan": ("a", "b"),
        "outerloop.source": "rule",
        "outerloop.confidence": 1.0,
        "outerloop.filters": ["guard=passed"],
    }
    assert not span.failed


@pytest.mark.parametrize(
    ("outcome", "status", "failed"),
    [(Outcome.REJECTED, 422, ""), (Outcome.ERROR, 503, "code")],
)
def test_only_our_own_errors_are_failures(outcome: Outcome, status: int, failed: str) -> None:
    span = Kept()
    close(span, record(outcome), Reject(status, "code", "message"))
    assert span.attributes == {"outerloop.outcome": outcome.value, "error.type": "code"}
    assert span.failed == failed
