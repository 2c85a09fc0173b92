"""Labelled conversations: JSONL, a case a line, each with the plan that would be right."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from extproc.apis.api import DecodeLimits, decode
from extproc.conversation import Api, Conversation
from extproc.errors import InvalidRequest
from extproc.evaluation.inputs import BadInput, explain, read_bytes
from extproc.orchestrator.api import AgentInfo

SWITCH = "switch"
"""The tag of a case that leaves the agent of the turn before."""

AgentsOf = Callable[[str], Sequence[AgentInfo] | None]
"""Gives the agents of a set by its name, None where there is no such set."""


class Kind(enum.StrEnum):
    """What a case tests."""

    SINGLE = "single"
    FOLLOWUP = "followup"
    MULTI = "multi"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation and the agents it should get, in order; none where no agent fits."""

    id: str
    agents_set: str
    conversation: Conversation
    expected: tuple[str, ...]
    kind: Kind
    previous: str | None = None
    tags: frozenset[str] = frozenset()


class _Line(BaseModel):
    id: str = Field(min_length=1)
    agents_set: str = Field(min_length=1)
    messages: list[Any]
    expected: tuple[str, ...]
    kind: Kind
    previous_agent: str | None = None
    tags: frozenset[str] = frozenset()


def read_cases(file: Path, agents_of: AgentsOf, limits: DecodeLimits) -> tuple[Case, ...]:
    """Read cases about agents that exist. Keys it does not know are ignored, empty lines too.

    Messages are read as those of a chat completion are.

    Raises:
        BadInput: With every fault of every line, or because there is no case.
    """
    cases: dict[str, Case] = {}
    faults: list[str] = []
    for number, content in enumerate(read_bytes(file).split(b"\n"), start=1):
        if not content.strip():
            continue
        place = f"{file}:{number}"
        try:
            case = _case(content, place, limits)
        except BadInput as error:
            faults += error.faults
            continue
        if case.id in cases:
            faults.append(f"{place}: the id {case.id!r} stands in an earlier line too")
        faults += [f"{place}: {fault}" for fault in _contradictions(case, agents_of)]
        cases[case.id] = case
    if not faults and not cases:
        faults.append(f"{file}: no cases in it")
    if faults:
        raise BadInput(faults)
    return tuple(cases.values())


def _case(content: bytes, place: str, limits: DecodeLimits) -> Case:
    try:
        line = _Line.model_validate(json.loads(content))
        body = json.dumps({"messages": line.messages}).encode()
        conversation = decode(Api.CHAT, body, limits)
    except ValidationError as error:
        raise BadInput(explain(error, place)) from None
    except InvalidRequest as error:
        raise BadInput([f"{place}: {error.message}"]) from None
    except (ValueError, RecursionError) as error:
        raise BadInput([f"{place}: not JSON: {error}"]) from None
    return Case(
        id=line.id,
        agents_set=line.agents_set,
        conversation=conversation,
        expected=line.expected,
        kind=line.kind,
        previous=line.previous_agent,
        tags=line.tags,
    )


def _contradictions(case: Case, agents_of: AgentsOf) -> list[str]:
    agents = agents_of(case.agents_set)
    if agents is None:
        return [f"there are no agents for the set {case.agents_set!r}"]
    known = {agent.id for agent in agents}
    faults = [
        f"{key}: no agent {agent!r} in the set {case.agents_set!r}"
        for key, ids in (("expected", case.expected), ("previous_agent", (case.previous,)))
        for agent in ids
        if agent is not None and agent not in known
    ]
    if len(set(case.expected)) < len(case.expected):
        faults.append("expected: an agent stands twice; it can be in a plan once")
    if case.kind is Kind.NONE and case.expected:
        faults.append("expected: must be empty where the kind is 'none'")
    if case.kind in {Kind.SINGLE, Kind.MULTI} and not case.expected:
        faults.append(f"expected: must name an agent where the kind is '{case.kind}'")
    return faults
