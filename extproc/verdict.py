"""What is told of a decision: to agents in headers, to logs and other filters in metadata."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from extproc import names
from extproc.forwarding import Trail
from extproc.http import HeaderPairs, Metadata
from extproc.plan import Decision, Source

_FORMS: Final = 4096
"""Kept: as many as there are plans, by who decided and whether that was remembered."""


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """What verdicts have in common that differ in figures alone.

    There is one of each (`form_of`): so what is made of it can be found by it.
    """

    listener: str
    agents: tuple[str, ...]
    source: Source
    cached: bool

    def headers(self, confidence: float, index: int) -> HeaderPairs:
        """Return what the agent at `index` of the plan is told."""
        agents = self.agents
        return (
            (names.HEADER_AGENT, agents[index]),
            (names.HEADER_PLAN, ",".join(agents)),
            (names.HEADER_STEP, f"{index + 1}/{len(agents)}"),
            (names.HEADER_SOURCE, self.source.value),
            (names.HEADER_CONFIDENCE, f"{confidence:.2f}"),
            (names.HEADER_LISTENER, self.listener),
        )


@lru_cache(_FORMS)
def form_of(listener: str, agents: tuple[str, ...], source: Source, cached: bool) -> Form:  # noqa: FBT001 - a key
    """Return the one form of these."""
    return Form(listener, agents, source, cached)


class Verdict(NamedTuple):
    """A decision as it is told where Envoy routes by it, and how the request goes on."""

    form: Form
    confidence: float
    milliseconds: float
    trail: Trail

    @property
    def headers(self) -> HeaderPairs:
        """Return what the last agent of the plan is told."""
        last = len(self.form.agents) - 1
        return (*self.form.headers(self.confidence, last), *self.trail.headers())

    @property
    def metadata(self) -> Metadata:
        """Return what logs are told."""
        form = self.form
        return {
            names.METADATA_TRACE_ID: self.trail.trace_id,
            names.METADATA_AGENT: form.agents[-1],
            names.METADATA_PLAN: ",".join(form.agents),
            names.METADATA_SOURCE: form.source.value,
            names.METADATA_CACHED: form.cached,
            names.METADATA_DECISION_MS: round(self.milliseconds, 3),
            names.METADATA_CONFIDENCE: round(self.confidence, 4),
        }


def verdict_of(decision: Decision, trail: Trail) -> Verdict:
    """Return what is told of a decision."""
    return Verdict(_form(decision), decision.plan.confidence, decision.milliseconds, trail)


def step_headers(decision: Decision, index: int) -> HeaderPairs:
    """Return what the agent at `index` of the plan is told of a decision."""
    return _form(decision).headers(decision.plan.confidence, index)


def _form(decision: Decision) -> Form:
    plan = decision.plan
    return form_of(decision.listener, plan.agents, plan.source, decision.cached)
