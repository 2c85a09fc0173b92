"""The strategy that a configuration asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from extproc.calls import Caller
from extproc.config.model.root import Config
from extproc.config.targets import MODEL, targets
from extproc.orchestrator.api import AgentInfo, Orchestrator
from extproc.orchestrator.cascade import Cascade
from extproc.orchestrator.embedded import Embedded
from extproc.orchestrator.model import ModelStrategy

_MAX_AGENTS: Final = 1
"""Plans of several agents are not run yet."""


class Strategies:
    """Makes the strategy of each listener of one configuration."""

    def __init__(self, config: Config, caller: Caller) -> None:
        self._orchestrator = config.orchestrator
        self._max_bytes = config.limits.max_response_bytes
        self._targets = targets(config)
        self._caller = caller

    def make(self, agents: Sequence[AgentInfo]) -> tuple[Orchestrator, Orchestrator | None]:
        """Return the strategy, and the one that decides earlier turns again (see `Decider`).

        Raises ValueError where a prompt file cannot be used.
        """
        named = self._orchestrator.model is not None
        kind = self._orchestrator.strategy or ("cascade" if named else "embedded")
        if kind == "model":
            return self._model(agents), None
        embedded = Embedded(agents, max_agents=_MAX_AGENTS)
        if kind == "cascade" and named:
            bar = self._orchestrator.min_confidence
            return Cascade(embedded, self._model(agents), bar), embedded
        return embedded, embedded

    def _model(self, agents: Sequence[AgentInfo]) -> Orchestrator:
        server = self._orchestrator.model
        if server is None:
            raise ValueError("orchestrator.model: the strategy needs a server")
        return ModelStrategy(
            agents,
            server,
            self._targets[MODEL],
            self._caller,
            max_agents=_MAX_AGENTS,
            max_bytes=self._max_bytes,
        )
