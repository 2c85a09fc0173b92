"""The strategy that a configuration asks for."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import cached_property

from extproc.calls import Caller
from extproc.config.model.root import Config
from extproc.config.targets import EMBEDDINGS, MODEL, targets
from extproc.orchestrator.api import AgentInfo, Orchestrator
from extproc.orchestrator.cascade import Cascade
from extproc.orchestrator.embedded import Embedded
from extproc.orchestrator.embeddings import (
    Embedder,
    EmbeddingsStrategy,
    VectorCache,
    cache_folder,
)
from extproc.orchestrator.model import ModelStrategy
from extproc.spans import Attributes, NoTracer, Tracer
from extproc.traced import TracedCaller


class Strategies:
    """Makes the strategy of each listener of one configuration.

    `patience` is how many seconds the first decisions wait for an embeddings server to read the
    agents; by default no longer than for a turn.
    """

    def __init__(
        self,
        config: Config,
        caller: Caller,
        tracer: Tracer | None = None,
        *,
        patience: float | None = None,
    ) -> None:
        self._orchestrator = config.orchestrator
        self._max_bytes = config.limits.max_response_bytes
        self._targets = targets(config)
        self._caller = caller
        self._tracer = tracer or NoTracer()
        self._patience = patience

    def make(self, agents: Sequence[AgentInfo]) -> tuple[Orchestrator, Orchestrator | None]:
        """Return the strategy, and the one that decides earlier turns again (see `Decider`).

        Raises ValueError where a prompt file cannot be used, or a server is missing.
        """
        kind, asked = self._orchestrator.chosen_strategy, self._orchestrator.asked
        if kind == "model":
            return self._model(agents), None
        embedded = Embedded(agents, max_agents=self._orchestrator.max_agents)
        if asked is None:
            return embedded, embedded
        remote = self._model(agents) if asked == MODEL else self._embeddings(agents, embedded)
        if kind == "cascade":
            remote = Cascade(embedded, remote, self._orchestrator.min_confidence)
        return remote, embedded

    def _model(self, agents: Sequence[AgentInfo]) -> Orchestrator:
        server = self._orchestrator.model
        if server is None:
            raise ValueError("orchestrator.model: the strategy needs a server")
        return ModelStrategy(
            agents,
            server,
            self._targets[MODEL],
            self._traced("chat", server.name, MODEL),
            max_agents=self._orchestrator.max_agents,
            max_bytes=self._max_bytes,
        )

    def _embeddings(self, agents: Sequence[AgentInfo], local: Embedded) -> Orchestrator:
        return EmbeddingsStrategy(
            agents,
            local,
            self._embedder,
            VectorCache(cache_folder(os.environ), self._embedder.identity),
            max_agents=self._orchestrator.max_agents,
            patience=self._embedder.timeout if self._patience is None else self._patience,
        )

    def _traced(self, operation: str, model: str, target: str) -> Caller:
        """Return the caller of a server, with spans as OpenTelemetry names them for models."""
        origin = self._targets[target].origin
        attributes: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": model,
            "server.address": origin.host,
            "server.port": origin.port,
        }
        return TracedCaller(self._caller, self._tracer, f"{operation} {model}", attributes)

    @cached_property
    def _embedder(self) -> Embedder:
        """One for all listeners: they share what is known of the server."""
        server = self._orchestrator.embeddings
        if server is None:
            raise ValueError("orchestrator.embeddings: the strategy needs a server")
        return Embedder(
            server,
            self._targets[EMBEDDINGS],
            self._traced("embeddings", server.name, EMBEDDINGS),
            max_bytes=self._max_bytes,
            clock=time.monotonic,
        )
