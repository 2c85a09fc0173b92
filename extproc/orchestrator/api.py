"""What a strategy is: conversation and agents in, plan out."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from extproc.conversation import Conversation
from extproc.plan import Plan


@dataclass(frozen=True, slots=True)
class AgentInfo:
    """What a strategy knows of an agent. `examples` are texts that should go to it."""

    id: str
    description: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One decision to take.

    `allowed` limits the agents of the plan (None: all). `previous` is the agent of the turn
    before, where it is known.
    """

    conversation: Conversation
    allowed: AbstractSet[str] | None = None
    previous: str | None = None


class Orchestrator(Protocol):
    """A strategy, fitted to its agents when it was made."""

    async def decide(self, question: Question) -> Plan:
        """Return a plan of allowed agents, empty when none fits.

        Raises `OrchestratorFailed` when it cannot decide; the pipeline knows what then.
        """
        ...
