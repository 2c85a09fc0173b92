from __future__ import annotations

import json
from pathlib import Path

import pytest

from extproc.evaluation.agents import read_agents
from extproc.evaluation.inputs import BadInput
from extproc.orchestrator.api import AgentInfo

DESK = (AgentInfo("a", "Parties \N{PARTY POPPER}.", ("a party",)), AgentInfo("b?"))
AS_DATA = {
    "desk": [
        {"id": "a", "description": DESK[0].description, "examples": ["a party"], "url": "ignored"},
        {"id": "b?"},
    ]
}
AS_YAML = """
desk:
  - id: a
    description: Parties \N{PARTY POPPER}.
    examples: [a party]
  - id: b?
"""


@pytest.mark.parametrize("text", [json.dumps(AS_DATA), json.dumps(AS_DATA, indent="\t"), AS_YAML])
def test_json_and_yaml(text: str, tmp_path: Path) -> None:
    file = tmp_path / "agents"
    file.write_text(text, encoding="utf-8")
    assert read_agents(file) == {"desk": DESK}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"desk: [{description: x}]", "desk[0].id: Field required"),
        (b"desk: [{id: a}, {id: 7}]", "desk[1].id: Input should be a valid string"),
        (b"desk: [{id: ''}]", "desk[0].id: String should have at least 1 character"),
        (b"desk: []", "desk: Tuple should have at least 1 item"),
        (b'{"desk": {}}', "desk: Input should be a valid tuple"),
        (b"[]", "Input should be a valid dictionary"),
        (b"desk: [{id: a}, {id: a}]", "desk: the id 'a' stands 2 times"),
        (b"desk: [", "2:1: "),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "nested"),
    ],
)
def test_faults_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "agents.yaml"
    file.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_agents(file)
    assert message in str(caught.value)
    assert all(fault.startswith(f"{file}:") for fault in caught.value.faults)
