"""The agents that cases are decided among, from a file that names them for each set."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from extproc.config.faults import ConfigError
from extproc.config.yaml_source import parse
from extproc.evaluation.inputs import BadInput, explain, read_bytes
from extproc.orchestrator.api import AgentInfo

AgentSets = Mapping[str, tuple[AgentInfo, ...]]
"""Agents by the name of their set, in the order of the file."""


class _Agent(BaseModel):
    id: str = Field(min_length=1)
    description: str = ""
    examples: tuple[str, ...] = ()


_FILE: Final = TypeAdapter(dict[str, Annotated[tuple[_Agent, ...], Field(min_length=1)]])


def read_agents(file: Path) -> AgentSets:
    """Read JSON or YAML: `{agents_set: [{id, description, examples}]}`; other keys are ignored.

    Raises BadInput with every fault.
    """
    try:
        entries = _FILE.validate_python(_data(file))
    except ValidationError as error:
        raise BadInput(explain(error, str(file))) from None
    faults = [
        f"{file}: {name}: the id {agent!r} stands {count} times"
        for name, agents in entries.items()
        for agent, count in Counter(each.id for each in agents).items()
        if count > 1
    ]
    if faults:
        raise BadInput(faults)
    return {
        name: tuple(AgentInfo(each.id, each.description, each.examples) for each in agents)
        for name, agents in entries.items()
    }


def _data(file: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    content = read_bytes(file)
    try:
        # YAML does not know how JSON escapes what lies beyond 16 bits, such as emoji.
        return json.loads(content)
    except (ValueError, RecursionError):
        pass
    try:
        return parse(content.decode("utf-8"), str(file)).data()
    except UnicodeDecodeError:
        raise BadInput([f"{file}: not UTF-8"]) from None
    except ConfigError as error:
        raise BadInput(map(str, error.faults)) from None
