"""The cascade: decide here when that is sure enough, ask a server when it is not."""

from __future__ import annotations

from extproc.orchestrator.api import Orchestrator, Question
from extproc.plan import Plan


class Cascade:
    """Asks `local` first, and `remote` only where `local` is less sure than `min_confidence`."""

    def __init__(self, local: Orchestrator, remote: Orchestrator, min_confidence: float) -> None:
        self._local = local
        self._remote = remote
        self._min_confidence = min_confidence

    async def decide(self, question: Question) -> Plan:
        """Return the plan of who was asked last. Raises `OrchestratorFailed` as `remote` does."""
        plan = await self._local.decide(question)
        if plan.confidence >= self._min_confidence:
            return plan
        return await self._remote.decide(question)
