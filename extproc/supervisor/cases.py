"""Decisions as cases for `outerloop eval`: what was decided, for a person to put right."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from extproc.plan import Source

_NOT_DECIDED: Final = Source.FALLBACK.value
_NOBODY: Final = Source.DEFAULT.value


def as_cases(decisions: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the decisions that have messages, a case a line (JSONL), the oldest first.

    `expected` is what was decided. What only fell back to the default agent is left out.
    """
    cases: dict[str, dict[str, Any]] = {}
    for number, decision in enumerate(reversed(list(decisions))):
        if decision.get("messages") and decision["source"] != _NOT_DECIDED:
            name = decision["request_id"] or str(number)
            # Clients may use an id twice.
            name = name if name not in cases else f"{name}-{number}"
            cases[name] = {"id": name, **_case(decision)}
    return b"".join(json.dumps(case).encode() + b"\n" for case in cases.values())


def _case(decision: Mapping[str, Any]) -> dict[str, Any]:
    messages = decision["messages"]
    expected = [] if decision["source"] == _NOBODY else decision["plan"]
    kind = "single"
    if len(expected) != 1:
        kind = "multi" if expected else "none"
    elif any(message["role"] == "assistant" for message in messages):
        kind = "followup"
    return {
        "agents_set": decision["listener"],
        "messages": messages,
        "expected": expected,
        "kind": kind,
    }
