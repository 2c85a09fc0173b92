from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from extproc.config.model.root import Limits
from extproc.evaluation.cases import read_cases
from extproc.orchestrator.api import AgentInfo
from extproc.supervisor.cases import as_cases

HI = [{"role": "user", "content": "hi"}]
GOES_ON = [*HI, {"role": "assistant", "content": "hello"}, *HI]


def decision(**changes: Any) -> dict[str, Any]:
    return {
        "request_id": "r",
        "listener": "travel",
        "source": "embedded",
        "plan": ["a"],
        "messages": HI,
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "expected", "kind"),
    [
        ({}, ["a"], "single"),
        ({"plan": ["a", "b"]}, ["a", "b"], "multi"),
        ({"source": "default"}, [], "none"),
        ({"messages": GOES_ON}, ["a"], "followup"),
    ],
)
def test_what_was_decided_is_expected(
    tmp_path: Path, changes: dict[str, Any], expected: list[str], kind: str
) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_bytes(as_cases([decision(**changes)]))
    agents = (AgentInfo("a"), AgentInfo("b"))
    [case] = read_cases(file, lambda _name: agents, Limits())
    assert (case.id, case.agents_set, case.kind) == ("r", "travel", kind)
    assert list(case.expected) == expected


def test_what_was_not_kept_or_not_decided_is_no_case() -> None:
    nothing = decision()
    del nothing["messages"]
    assert as_cases([nothing, decision(source="fallback")]) == b""


def test_the_oldest_comes_first_and_no_id_twice() -> None:
    lines = as_cases([decision(plan=["b"]), decision(), decision(request_id="")]).splitlines()
    cases = [json.loads(line) for line in lines]
    assert [case["id"] for case in cases] == ["0", "r", "r-2"]
    assert [case["expected"] for case in cases] == [["a"], ["a"], ["b"]]
