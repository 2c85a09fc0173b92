from __future__ import annotations

import pytest

from extproc.errors import Reject
from extproc.http import NO_MUTATIONS, Answer, Mutations
from extproc.recording import Outcome, outcome_of


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (NO_MUTATIONS, Outcome.ROUTED),
        (Answer(b"{}"), Outcome.ROUTED),
        (Reject(400, "invalid_request", "x"), Outcome.REJECTED),
        (Reject(422, "no_agent_fits", "x"), Outcome.REJECTED),
        (Reject(500, "internal_error", "x"), Outcome.ERROR),
        (Reject(504, "decision_timeout", "x"), Outcome.ERROR),
    ],
)
def test_how_a_request_ended(result: Mutations | Reject | Answer, outcome: Outcome) -> None:
    assert outcome_of(result) is outcome
