from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extproc.config.model.root import Limits
from extproc.evaluation.cases import Case, Kind, read_cases
from extproc.evaluation.inputs import BadInput
from extproc.orchestrator.api import AgentInfo

SETS = {"desk": (AgentInfo("a"), AgentInfo("b"))}
GOOD = {
    "id": "1",
    "agents_set": "desk",
    "messages": [{"role": "user", "content": "hello\N{LINE SEPARATOR}you \ud800"}],
    "expected": ["a"],
    "kind": "single",
}

Read = Callable[..., tuple[Case, ...]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read lines, each an object or bytes, as a file named `cases.jsonl`."""

    def run(*lines: dict[str, Any] | bytes) -> tuple[Case, ...]:
        file = tmp_path / "cases.jsonl"
        each = (line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
        file.write_bytes(b"\n".join(each))
        return read_cases(file, SETS.get, Limits())

    return run


def faults(read: Read, *lines: dict[str, Any] | bytes) -> list[str]:
    with pytest.raises(BadInput) as caught:
        read(*lines)
    return [fault[fault.index("cases.jsonl") :] for fault in caught.value.faults]


def test_a_case_is_read_as_live_traffic_is(read: Read) -> None:
    followup = {
        **GOOD,
        "id": "2",
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": [{"type": "text", "text": "and"}]},
        ],
        "kind": "followup",
        "previous_agent": "b",
        "tags": ["switch"],
        "source": "ignored",
    }
    first, second = read(GOOD, b"", followup, b"")
    assert (first.id, first.agents_set, first.expected) == ("1", "desk", ("a",))
    assert (first.kind, first.previous, first.tags) == (Kind.SINGLE, None, frozenset())
    assert (second.kind, second.previous, second.tags) == (
        Kind.FOLLOWUP,
        "b",
        frozenset({"switch"}),
    )
    assert [message.role for message in second.conversation.messages] == ["system", "user"]
    assert second.conversation.messages[1].text == "and"


def test_a_line_ends_only_at_a_newline(read: Read) -> None:
    (case,) = read(
        json.dumps(GOOD, ensure_ascii=True).encode().replace(b"\\u2028", b"\xe2\x80\xa8")
    )
    assert case.conversation.messages[0].text.startswith("hello\N{LINE SEPARATOR}you")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"id": ""}, "id: String should have at least 1 character"),
        ({"kind": "double"}, "kind: Input should be 'single', 'followup', 'multi' or 'none'"),
        ({"expected": None}, "expected: Input should be a valid tuple"),
        ({"expected": [1]}, "expected[0]: Input should be a valid string"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"agents_set": "shop"}, "there are no agents for the set 'shop'"),
        ({"expected": ["c"]}, "expected: no agent 'c' in the set 'desk'"),
        ({"previous_agent": "c"}, "previous_agent: no agent 'c' in the set 'desk'"),
        ({"expected": ["a", "a"]}, "expected: an agent stands twice; it can be in a plan once"),
        ({"kind": "none"}, "expected: must be empty where the kind is 'none'"),
        ({"expected": []}, "expected: must name an agent where the kind is 'single'"),
    ],
)
def test_what_cannot_be_is_named_with_its_line(
    change: dict[str, Any], fault: str, read: Read
) -> None:
    (line,) = faults(read, GOOD, {**GOOD, "id": "2", **change})
    assert line.startswith("cases.jsonl:2: ")
    assert fault in line


@pytest.mark.parametrize(
    "line", [b"{", b"\xff", b"nothing", b"[" * 100_000, b'{"id": "1"'], ids=repr
)
def test_lines_that_are_not_json(line: bytes, read: Read) -> None:
    (fault,) = faults(read, GOOD, line)
    assert fault.startswith("cases.jsonl:2: not JSON: ")


def test_every_missing_key_is_named(read: Read) -> None:
    missing = faults(read, b"{}")
    keys = ("id", "agents_set", "messages", "expected", "kind")
    assert missing == [f"cases.jsonl:1: {key}: Field required" for key in keys]


def test_ids_stand_once(read: Read) -> None:
    assert faults(read, GOOD, b"", GOOD) == [
        "cases.jsonl:3: the id '1' stands in an earlier line too"
    ]


@pytest.mark.parametrize("lines", [(), (b"", b"  ")])
def test_a_file_without_cases(lines: tuple[bytes, ...], read: Read) -> None:
    assert faults(read, *lines) == ["cases.jsonl: no cases in it"]


def test_all_lines_are_looked_at(read: Read) -> None:
    lines = faults(read, b"{", GOOD, {**GOOD, "id": "2", "expected": ["c"]})
    assert [line.split(":")[1] for line in lines] == ["1", "3"]
