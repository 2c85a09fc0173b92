from __future__ import annotations

from collections.abc import Callable

from extproc.evaluation.decide import Result
from extproc.evaluation.tally import tally
from extproc.orchestrator.api import AgentInfo

AGENTS = (AgentInfo("a"), AgentInfo("b"))


def test_decided_cases_of_the_set_are_counted(result: Callable[..., Result]) -> None:
    counts = tally(
        "desk",
        AGENTS,
        [
            result("a", "a"),
            result("a b", "b"),
            result("", "b"),
            result("a", None),
            result("a", "a", agents_set="shop"),
        ],
    )
    assert len(counts.results) == 3
    assert counts.expected == {"a": 2, "b": 1}
    assert counts.chosen == {"a": 1, "b": 2}
    assert counts.missed == {"a": 1}
    assert [(each.expected, each.got) for each in counts.confusions] == [("a", None), (None, "b")]
