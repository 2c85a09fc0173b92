from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.plan import Decision, Plan, Source, StepOutcome, StepRecord
from extproc.recording import Outcome, Record


@pytest.fixture
def record() -> Callable[..., Record]:
    """A routed request whose plan was two agents, the first of which failed."""

    def make(request_id: str = "r", outcome: Outcome = Outcome.ROUTED, **changes: Any) -> Record:
        decision = Decision(
            "main",
            Plan(("a", "b"), Source.MODEL, 0.98765, {"a": 0.5}),
            cached=True,
            milliseconds=250.0,
            steps=(StepRecord("a", StepOutcome.FAILED, 503, 1500.0),),
        )
        values: dict[str, Any] = {"listener": "main", "decision": decision}
        return Record(request_id=request_id, outcome=outcome, **(values | changes))

    return make
