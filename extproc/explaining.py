"""A decision, and what speaks for it: for a person who tries a text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from extproc import traceparent
from extproc.conversation import Api
from extproc.filters.chain import Chain
from extproc.http import Headers, HttpRequest
from extproc.memory import Memory
from extproc.names import HEADER_TRACEPARENT
from extproc.orchestrator.api import Question
from extproc.orchestrator.embedded import Embedded
from extproc.pipeline import Pipeline
from extproc.plan import Decision, Source
from extproc.runtime import Listener, Runtime

_STRATEGIES: Final[Mapping[Source, str]] = {
    Source.EMBEDDED: "by the built-in strategy",
    Source.EMBEDDINGS: "by the vectors of the embeddings server",
    Source.MODEL: "by the answer of the model",
}
"""Why, where the strategy that was asked has nothing to add."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision, and the words that speak for each agent where it was decided by words."""

    decision: Decision
    matched: Mapping[str, tuple[str, ...]]

    @property
    def reason(self) -> str:
        """Why it was decided so, empty where the source alone says it."""
        plan = self.decision.plan
        return plan.reason or _STRATEGIES.get(plan.source, "")


async def explain(runtime: Runtime, listener: Listener, body: bytes) -> Explained:
    """Decide a body of the chat API as `listener` of `runtime` would.

    No filter is asked, and nothing is remembered, counted or traced. Raises `OuterloopError` and
    TimeoutError.
    """
    decider = replace(listener.decider, decisions=Memory(0, None))
    trial = replace(listener, decider=decider, input=Chain((), runtime.tracer))
    # Part of a trace that is not sampled, so that no spans of it are exported.
    headers = Headers(((HEADER_TRACEPARENT, traceparent.start()),))
    request = HttpRequest("POST", Api.CHAT, headers, body)
    decision, conversation = await Pipeline(runtime).decide(trial, request)
    local = decider.local
    matches = local.explain(Question(conversation)) if isinstance(local, Embedded) else []
    return Explained(decision, {match.agent: match.words for match in matches})


def body_of(text: str) -> bytes:
    """Return the body of a conversation in which the user says `text` alone."""
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def summary(decision: Decision) -> dict[str, Any]:
    """Return the decision as `outerloop route --json` prints it."""
    plan = decision.plan
    return {
        "plan": list(plan.agents),
        "source": plan.source.value,
        "confidence": round(plan.confidence, 4),
        "scores": {agent: round(score, 4) for agent, score in plan.scores.items()},
        "ms": round(decision.milliseconds, 3),
    }


def describe(explained: Explained) -> dict[str, Any]:
    """Return the decision with its reason, and each agent's words that matched."""
    matched = {agent: list(words) for agent, words in explained.matched.items()}
    return {**summary(explained.decision), "reason": explained.reason, "matched": matched}
