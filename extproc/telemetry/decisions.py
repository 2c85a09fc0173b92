"""The last decisions of one worker, as `/decisions` shows them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from extproc.capturing import Captured
from extproc.plan import Decision, FilterRecord
from extproc.recording import Record

_LONGEST_ID: Final = 128
"""Clients choose their request ids: what is kept of one is bounded."""


class Decisions:
    """Keeps the last `limit` decisions; of a conversation only what was captured."""

    def __init__(self, limit: int) -> None:
        self._kept: deque[tuple[float, Record]] = deque(maxlen=limit)
        self._answers: deque[tuple[str, tuple[FilterRecord, ...]]] = deque(maxlen=limit)

    def keep(self, limit: int) -> None:
        """Keep the last `limit` from now on."""
        self._kept = deque(self._kept, maxlen=limit)
        self._answers = deque(self._answers, maxlen=limit)

    def begin(self) -> None:
        """Nothing is known of a request that has just come."""

    def end(self, record: Record) -> None:
        """Keep a request that was decided, or that filters looked at."""
        if record.decision is not None or record.filters:
            self._kept.append((time.time(), _bounded(record)))

    def answered(self, exchange: str, filters: tuple[FilterRecord, ...]) -> None:
        """Keep what filters did with an answer."""
        self._answers.append((exchange, filters))

    def answers(self) -> dict[str, list[dict[str, Any]]]:
        """Return what filters did with answers, as JSON objects by the ids of their exchanges."""
        return {exchange: _filters(records) for exchange, records in self._answers}

    def newest_first(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the decisions as JSON objects, or the newest `limit` of them."""
        return [_describe(when, record) for when, record in islice(reversed(self._kept), limit)]


def _bounded(record: Record) -> Record:
    decision = record.decision
    if decision is not None and (plan := decision.plan.abridged()) is not decision.plan:
        decision = decision._replace(plan=plan)
    elif len(record.request_id) <= _LONGEST_ID:
        return record
    return record._replace(request_id=record.request_id[:_LONGEST_ID], decision=decision)


def _describe(when: float, record: Record) -> dict[str, Any]:
    return {
        "time": datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds"),
        "request_id": record.request_id,
        "listener": record.listener,
        "outcome": record.outcome.value,
        **_decided(record.decision),
        "filters": _filters(record.filters),
        "exchange": record.exchange,
        **_captured(record.captured),
    }


def _captured(captured: Captured) -> dict[str, Any]:
    if not captured:
        return {}
    return {"messages": [{"role": role, "content": text} for role, text in captured]}


def _filters(records: Iterable[FilterRecord]) -> list[dict[str, Any]]:
    return [
        {
            "filter": each.filter,
            "phase": each.phase,
            "agent": each.agent or None,
            "outcome": each.label,
            "note": each.note,
            "ms": round(each.milliseconds, 3),
        }
        for each in records
    ]


def _decided(decision: Decision | None) -> dict[str, Any]:
    if decision is None:
        # A filter refused the request, or failed, before it was decided.
        nothing = dict.fromkeys(("agent", "source", "cached", "confidence", "ms"))
        return {**nothing, "plan": [], "scores": {}, "steps": []}
    plan = decision.plan
    return {
        "agent": decision.agent,
        "plan": list(plan.agents),
        "source": plan.source.value,
        "cached": decision.cached,
        "confidence": round(plan.confidence, 4),
        "scores": {agent: round(score, 4) for agent, score in plan.scores.items()},
        "ms": round(decision.milliseconds, 3),
        "steps": [
            {
                "agent": step.agent,
                "outcome": step.outcome.value,
                "status": step.status,
                "ms": round(step.milliseconds, 3),
            }
            for step in decision.steps
        ],
    }
