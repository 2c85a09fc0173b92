"""The planner of the agents, made in the background: it needs the vectors of all their texts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from extproc.errors import OrchestratorFailed
from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.embedded import Planner, TokenTable, fitting_texts
from extproc.orchestrator.embeddings.cache import Vector, VectorCache
from extproc.orchestrator.embeddings.embedder import Embedder
from extproc.plan import Source

log = logging.getLogger(__name__)

BATCH: Final = 32
"""Texts of one call: what the strictest servers take."""

CALL_TIMEOUT: Final = 60.0
"""Seconds for such a call, which is longer than a turn: nobody has to wait for it."""

PAUSE: Final = 10.0
"""Seconds before it is tried again where the server failed."""

_SAME: Final = 0.99
"""Cosine from which two vectors of one text are of the same model."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A planner, and how long the vectors are that it was fitted to."""

    planner: Planner
    dimensions: int


class Fitting:
    """Fits once, from the first time that it is asked for; while that fails, again and again.

    `patience` is how many seconds after the start askers wait for it at most.
    """

    def __init__(  # noqa: PLR0913 - by name; they come from one place
        self,
        agents: Sequence[AgentInfo],
        embedder: Embedder,
        cache: VectorCache,
        *,
        max_agents: int,
        patience: float,
        clock: Callable[[], float],
    ) -> None:
        self._agents = tuple(agents)
        self._embedder = embedder
        self._cache = cache
        self._max_agents = max_agents
        self._patience = patience
        self._clock = clock
        self._fitted: Fitted | None = None
        self._task: asyncio.Task[None] | None = None
        self._started = 0.0
        self._resumes = 0.0

    async def get(self) -> Fitted:
        """Return what was fitted. Raises `OrchestratorFailed` where that is not ready in time."""
        if self._fitted is None:
            task = self._start()
            remaining = self._started + self._patience - self._clock()
            if remaining > 0:
                await asyncio.wait([task], timeout=remaining)
        if self._fitted is None:
            raise OrchestratorFailed("the agents are not embedded yet")
        return self._fitted

    def _start(self) -> asyncio.Task[None]:
        if self._task is None or (self._task.done() and self._clock() >= self._resumes):
            self._started = self._clock()
            # It outlives the decision that starts it, and is kept here until it is done.
            self._task = asyncio.create_task(  # noqa: TID251 - owned by this object
                self._run(), name="embed agents"
            )
        return self._task

    async def _run(self) -> None:
        try:
            self._fitted = await self._fit()
        except OrchestratorFailed as error:
            log.warning("the agents cannot be embedded: %s; next try in %g s", error, PAUSE)
        except Exception:
            log.exception("the agents cannot be embedded; next try in %g s", PAUSE)
        self._resumes = self._clock() + PAUSE

    async def _fit(self) -> Fitted:
        texts = fitting_texts(self._agents)
        vectors = await self._vectors(texts)

        def make() -> Fitted:
            rows = np.stack([vectors[text] for text in texts])
            planner = Planner(
                self._agents,
                max_agents=self._max_agents,
                source=Source.EMBEDDINGS,
                vectorizer=lambda _: rows,
                table=TokenTable.shipped(),
            )
            return Fitted(planner, rows.shape[1])

        # A large catalogue takes seconds, in which others are to be decided.
        return await asyncio.to_thread(make)

    async def _vectors(self, texts: Sequence[str]) -> dict[str, Vector]:
        """Return the vector of each text; what was learned is kept even where not all could be."""
        known = await asyncio.to_thread(self._cache.load, texts)
        # The first one is asked for again: behind one name the server may serve another model now.
        probe = texts[0]
        before = known.pop(probe, None)
        fresh = await self._ask([probe])
        if before is None or not _same(before, fresh[probe]):
            known = {}
        missing = [text for text in texts if text not in known and text != probe]
        try:
            for start in range(0, len(missing), BATCH):
                fresh |= await self._ask(missing[start : start + BATCH])
        finally:
            if missing:
                await asyncio.to_thread(self._cache.save, known | fresh)
        return known | fresh

    async def _ask(self, texts: Sequence[str]) -> dict[str, Vector]:
        rows = await self._embedder.embed(texts, self._clock() + CALL_TIMEOUT)
        return dict(zip(texts, rows, strict=True))


def _same(one: Vector, other: Vector) -> bool:
    return one.shape == other.shape and float(one @ other) >= _SAME
