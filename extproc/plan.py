"""What was decided about a conversation: which agents, in what order, and why."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from operator import itemgetter
from types import MappingProxyType
from typing import Final, NamedTuple

_KEPT: Final = 10
_NO_SCORES: Mapping[str, float] = MappingProxyType({})

STEP_GRACE: Final = 0.5
"""Seconds beyond an agent's timeout: Envoy keeps it, and knows better what happened."""

LONGEST_WAIT: Final = timedelta(hours=1)
"""The most that Envoy waits for the processor: it takes no larger figure."""

_SLACK: Final = 2.0
"""Seconds: what becomes of agents that take all their time must be said before Envoy gives up."""


class Source(enum.StrEnum):
    """Who decided: the value of `x-outerloop-source`."""

    SINGLE = "single"
    EXPLICIT = "explicit"
    RULE = "rule"
    EMBEDDED = "embedded"
    EMBEDDINGS = "embeddings"
    MODEL = "model"
    DEFAULT = "default"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Plan:
    """Agent ids in the order they run, each once; empty means that no agent fits.

    `confidence` (0 to 1) is how sure the source is of the whole plan; `scores` (0 to 1) say how
    well each agent fits, where the source has such figures. `reason` tells a person how it came
    about, where the source alone does not; it has nothing of the conversation. A plan that is not
    `lasting` was made in place of a better one, which the next request may get.
    """

    agents: tuple[str, ...]
    source: Source
    confidence: float = 1.0
    scores: Mapping[str, float] = field(default_factory=lambda: _NO_SCORES)
    reason: str = field(default="", compare=False)
    lasting: bool = field(default=True, compare=False)
    _abridged: Plan | None = field(default=None, init=False, repr=False, compare=False)

    def abridged(self) -> Plan:
        """Return the plan with its ten best scores alone, for keeping: agents may be thousands."""
        if len(self.scores) <= _KEPT:
            return self
        if self._abridged is None:
            best = sorted(self.scores.items(), key=itemgetter(1), reverse=True)
            # Whoever keeps it asks for it.
            object.__setattr__(self, "_abridged", replace(self, scores=dict(best[:_KEPT])))
        return self._abridged or self

    def because(self, reason: str) -> Plan:
        """Return the plan with one more reason."""
        return replace(self, reason="; ".join(filter(None, (self.reason, reason))))


class StepOutcome(enum.StrEnum):
    """How the call of an agent before the last one ended."""

    OK = "ok"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One agent before the last, as it was called. `status` is None where none came."""

    agent: str
    outcome: StepOutcome
    status: int | None
    milliseconds: float


class FilterOutcome(enum.StrEnum):
    """How a filter ended."""

    PASSED = "passed"
    TAGGED = "tagged"
    CHANGED = "changed"
    SKIPPED = "skipped"
    """It failed, and `on_error: skip` let the message go on."""
    FAILED = "failed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class FilterRecord:
    """What one filter did, or in `shadow` would have done.

    `phase` is `input` or `output`; `agent` is empty for a filter of the listener. `note` says why,
    and `calls` how often it was asked: for each event of a stream. Nothing quotes content.
    """

    filter: str
    phase: str
    outcome: FilterOutcome
    milliseconds: float
    agent: str = ""
    shadow: bool = False
    note: str = ""
    calls: int = 1

    @property
    def label(self) -> str:
        """The outcome for metrics and logs: `denied`, or `shadow_denied` where nothing came of it.

        A filter in shadow cannot fail a request, so its failures are all `shadow_failed`.
        """
        return f"shadow_{self.outcome}" if self.shadow else self.outcome.value


class Decision(NamedTuple):
    """A plan as it was taken for one request: for headers, metrics, logs and `/decisions`."""

    listener: str
    plan: Plan
    cached: bool
    milliseconds: float
    steps: tuple[StepRecord, ...] = ()

    @property
    def agent(self) -> str:
        """The agent that Envoy routes to: the last of the plan."""
        return self.plan.agents[-1]


def longest_steps(timeouts: Sequence[float], *, parallel: bool) -> float:
    """Return how long Envoy waits for the calls of agents with these timeouts, all in seconds."""
    calls = [timeout + STEP_GRACE for timeout in timeouts]
    return (max(calls) if parallel else sum(calls)) + _SLACK if calls else 0.0
