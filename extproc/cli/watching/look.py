"""One look at a running stack: what its admin answers, as values that are safe to show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from extproc.cli.watching.values import number_of, text_of

PATH_STATUS: Final = "/status"
PATH_DECISIONS: Final = "/decisions?limit=100"
"""More than terminals have lines."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listener:
    """Where clients connect."""

    name: str
    url: str
    requests: float | None


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent, or with `variant` one of its variants, which follow it.

    Figures are None where Envoy is not ours or does not answer.
    """

    id: str
    variant: str
    weight: float | None
    hosts: str
    healthy: float | None
    total: float | None
    requests: float | None
    errors: float | None
    p50_ms: float | None
    p95_ms: float | None
    decided: float | None


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter and how its calls ended."""

    id: str
    type: str
    mode: str
    on_error: str
    calls: float | None
    outcomes: Mapping[str, float]
    mean_ms: float | None


@dataclass(frozen=True, slots=True)
class Decision:
    """One of the last decisions. `filters` are those that did not just pass."""

    time: str
    request_id: str
    listener: str
    outcome: str
    plan: str
    source: str
    confidence: float | None
    milliseconds: float | None
    filters: str


@dataclass(frozen=True, slots=True)
class Look:
    """What a stack said `at` a moment, in seconds of a clock that never goes back.

    Texts have no control characters, numbers are finite. Decisions begin with the newest.
    """

    at: float
    time: str
    version: str
    status: str
    generation: str
    faults: Sequence[str]
    """Of a last reload that was rejected."""
    workers: Sequence[str]
    requests: float | None
    inflight: float | None
    outcomes: Mapping[str, float]
    listeners: Sequence[Listener]
    agents: Sequence[Agent]
    filters: Sequence[Filter]
    decisions: Sequence[Decision]


def understand(at: float, status: Json, decisions: Sequence[Json]) -> Look:
    """Read both answers. Raises AttributeError, LookupError or TypeError: they are no stack's."""
    requests = status["requests"]
    reload = status["last_reload"] or {"outcome": "applied"}
    rejected = reload["outcome"] != "applied"
    return Look(
        at=at,
        time=text_of(status["time"]),
        version=text_of(status["version"]),
        status=text_of(status["status"]),
        generation=text_of(status["generation"]),
        faults=[text_of(each) for each in reload["errors"] or ["rejected"]] if rejected else [],
        workers=[text_of(each["status"]) for each in status["workers"]],
        requests=number_of(requests["total"]),
        inflight=number_of(requests["inflight"]),
        outcomes=_counts(requests["outcomes"]),
        listeners=[_listener(each) for each in status["listeners"]],
        agents=[row for each in status["agents"] for row in _agent(each)],
        filters=[_filter(each) for each in status["filters"]],
        decisions=[_decision(each) for each in decisions],
    )


def _listener(told: Json) -> Listener:
    return Listener(text_of(told["name"]), text_of(told["url"]), number_of(told["requests"]))


def _agent(told: Json) -> Iterator[Agent]:
    hosts = text_of(" ".join(map(str, told["hosts"])))
    variants = [_upstream(each, told["id"], each["id"], "") for each in told["variants"]]
    yield _upstream(told, told["id"], "", hosts)
    yield from variants


def _upstream(told: Json, agent: str, variant: str, hosts: str) -> Agent:
    return Agent(
        id=text_of(agent),
        variant=text_of(variant),
        weight=number_of(told.get("weight")),
        hosts=hosts,
        healthy=number_of(told["healthy"]),
        total=number_of(told["total"]),
        requests=number_of(told["requests"]),
        errors=number_of(told["errors"]),
        p50_ms=number_of(told["p50_ms"]),
        p95_ms=number_of(told["p95_ms"]),
        decided=number_of(told.get("decided")),
    )


def _filter(told: Json) -> Filter:
    return Filter(
        id=text_of(told["id"]),
        type=text_of(told["type"]),
        mode=text_of(told["mode"]),
        on_error=text_of(told["on_error"]),
        calls=number_of(told["calls"]),
        outcomes=_counts(told["outcomes"]),
        mean_ms=number_of(told["mean_ms"]),
    )


def _decision(told: Json) -> Decision:
    notable = [
        f"{each['filter']}={each['outcome']}"
        for each in told["filters"]
        if not str(each["outcome"]).endswith("passed")
    ]
    return Decision(
        time=text_of(told["time"]),
        request_id=text_of(told["request_id"]),
        listener=text_of(told["listener"]),
        outcome=text_of(told["outcome"]),
        plan=text_of(">".join(told["plan"])),
        source=text_of(told["source"]),
        confidence=number_of(told["confidence"]),
        milliseconds=number_of(told["ms"]),
        filters=text_of(" ".join(notable)),
    )


def _counts(told: Json) -> dict[str, float]:
    return {text_of(name): number_of(count) or 0 for name, count in told.items()}
