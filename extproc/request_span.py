"""What the span of a request says of it: how it was decided, and what came of it.

Names are OpenTelemetry's where it has any, and `outerloop.*` else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from extproc.errors import Reject
from extproc.forwarding import CREDENTIALS
from extproc.http import Headers
from extproc.plan import Plan
from extproc.recording import Outcome, Record
from extproc.spans import Attributes, Span

NAME: Final = "process"

_NEVER: Final = frozenset({*CREDENTIALS, "cookie", "proxy-authorization"})
_MOST_HEADERS: Final = 32
_LONGEST_VALUE: Final = 256


def of_request(listener: str, headers: Headers, prefixes: Sequence[str]) -> Attributes:
    """Return what is known when it comes; headers of these prefixes, but never credentials."""
    found: dict[str, list[str]] = {}
    for name, value in headers if prefixes else ():
        if name.startswith(tuple(prefixes)) and name not in _NEVER:
            key = f"http.request.header.{name}"
            if key in found or len(found) < _MOST_HEADERS:
                found.setdefault(key, []).append(value[:_LONGEST_VALUE])
    return {"outerloop.listener": listener, **found}


def of_plan(plan: Plan, *, cached: bool) -> Attributes:
    """Return how it was decided."""
    scores = plan.abridged().scores
    return {
        **_outline(plan),
        "outerloop.cached": cached,
        "outerloop.reason": plan.reason,
        "outerloop.scores": [f"{agent}={score:.4f}" for agent, score in scores.items()],
    }


def close(span: Span, record: Record, answer: object) -> None:
    """Say what came of it; only what failed by no fault of the client's has failed."""
    said = {"outerloop.outcome": record.outcome.value}
    if record.decision is not None:
        span.set({"outerloop.agent": record.decision.agent, **_outline(record.decision.plan)})
    if record.filters:
        span.set({"outerloop.filters": [f"{each.filter}={each.label}" for each in record.filters]})
    if isinstance(answer, Reject):
        said["error.type"] = answer.code
    span.set(said)
    if record.outcome is Outcome.ERROR:
        span.fail(answer.code if isinstance(answer, Reject) else "error")


def _outline(plan: Plan) -> Attributes:
    return {
        "outerloop.plan": plan.agents,
        "outerloop.source": plan.source.value,
        "outerloop.confidence": round(plan.confidence, 4),
    }
