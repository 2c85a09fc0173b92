from __future__ import annotations

from collections.abc import Callable

import pytest

from extproc.doctor import fixes
from extproc.doctor.probe import Finding, Outcome, ok, skipped, unknown, wrong


@pytest.mark.parametrize(
    ("make", "outcome"),
    [
        (ok, Outcome.OK),
        (wrong, Outcome.WRONG),
        (unknown, Outcome.UNKNOWN),
        (skipped, Outcome.SKIPPED),
    ],
)
def test_findings_by_their_outcome(make: Callable[[str], Finding], outcome: Outcome) -> None:
    assert make("seen") == Finding(outcome, "seen", None)


def test_a_fault_may_have_a_fix_of_its_own() -> None:
    assert wrong("seen", fixes.SLOW).fix is fixes.SLOW
