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
        sure, bar = plan.confidence, self._min_confidence
        if sure >= bar:
            return plan.because(f"no server was asked: confidence {sure:.2f} >= {bar:g}")
        asked = await self._remote.decide(question)
        return asked.because(f"a server was asked: embedded confidence {sure:.2f} < {bar:g}")
