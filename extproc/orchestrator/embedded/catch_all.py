"""Which agent takes what fits no other, by its own account."""

from __future__ import annotations

import re

from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.embedded.text import identifier_words

_NAMES = frozenset({"general", "default", "fallback", "other", "catch all"})
_SAYS = re.compile(
    r"\b(?:everything|anything|whatever)\s+else\b"
    r"|\bgeneral[-\s]purpose\b|\bgeneral\s+(?:\w+\s+)?assistant\b"
    r"|\bcatch[-\s]?all\b|\bfall[-\s]?back\b"
    r"|\b(?:any|all|every)\s+other\s+(?:\w+\s+)?(?:question|request|topic|query|queries|task)s?\b"
    r"|\b(?:no\s+other\s+agents?|other\s+agents\s+(?:do|can)\s*not|not\s+covered)\b",
    re.IGNORECASE,
)


def is_catch_all(agent: AgentInfo) -> bool:
    """True where an agent's id or description says that it is there for everything else."""
    return identifier_words(agent.id) in _NAMES or _SAYS.search(agent.description) is not None
