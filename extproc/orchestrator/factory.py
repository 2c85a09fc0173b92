"""The strategy that a configuration asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from extproc.calls import Caller
from extproc.config.model.root import Config
from extproc.orchestrator.api import AgentInfo, Orchestrator
from extproc.orchestrator.embedded import Embedded

_MAX_AGENTS: Final = 1
"""Plans of several agents are not run yet."""


class Strategies:
    """Makes the strategy of each listener of one configuration."""

    def __init__(self, config: Config, caller: Caller) -> None:
        self._orchestrator = config.orchestrator
        self._caller = caller

    def make(self, agents: Sequence[AgentInfo]) -> tuple[Orchestrator, Orchestrator | None]:
        """Return the strategy, and the one that decides earlier turns again (see `Decider`)."""
        embedded = Embedded(agents, max_agents=_MAX_AGENTS)
        return embedded, embedded
