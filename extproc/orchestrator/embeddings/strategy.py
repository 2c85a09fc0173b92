"""The embeddings strategy: the embedded one's scorer, with vectors that a server computes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from extproc.errors import OrchestratorFailed
from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.embedded import Embedded, Turn, Vectors
from extproc.orchestrator.embeddings.cache import VectorCache
from extproc.orchestrator.embeddings.embedder import Embedder
from extproc.orchestrator.embeddings.fitting import Fitted, Fitting
from extproc.plan import Plan

log = logging.getLogger(__name__)


class EmbeddingsStrategy:
    """Asks a server for the vectors of the turn; `local` decides where it fails or is too slow.

    The server's timeout covers a decision as a whole. `patience` (seconds) is how long decisions
    wait for the agents' own vectors, which are asked for with the first one.
    """

    def __init__(  # noqa: PLR0913 - by name; they come from one place
        self,
        agents: Sequence[AgentInfo],
        local: Embedded,
        embedder: Embedder,
        cache: VectorCache,
        *,
        max_agents: int,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._local = local
        self._embedder = embedder
        self._clock = clock
        self._fitting = Fitting(
            agents, embedder, cache, max_agents=max_agents, patience=patience, clock=clock
        )

    async def decide(self, question: Question) -> Plan:
        """Return a plan of allowed agents, empty when none fits. Never raises."""
        turn = self._local.read(question)
        if not turn.texts[0].strip():
            return self._local.plan(question)
        try:
            fitted, vectors = await self._vectors(turn)
        except OrchestratorFailed as error:
            log.info("%s; decided by the embedded strategy", error.message)
            plan = replace(self._local.plan(question), lasting=False)
            return plan.because(f"{error.message}: decided by the embedded strategy")
        return fitted.planner.plan(question, turn, vectors)

    async def _vectors(self, turn: Turn) -> tuple[Fitted, Vectors]:
        deadline = self._clock() + self._embedder.timeout
        fitted = await self._fitting.get()
        vectors = await self._embedder.embed(turn.texts, deadline)
        if vectors.shape[1] != fitted.dimensions:
            raise OrchestratorFailed("the embeddings are not as long as those of the agents")
        return fitted, vectors
