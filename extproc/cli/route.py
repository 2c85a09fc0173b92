"""`outerloop route`: the decision for one conversation, and why, without starting anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from extproc.cli.failures import FAULTS, USAGE, Failure
from extproc.cli.files import pick_listener, read
from extproc.config.model.root import Config
from extproc.conversation import Api
from extproc.egress import Egress
from extproc.errors import OuterloopError
from extproc.http import Headers, HttpRequest
from extproc.orchestrator.api import Question
from extproc.orchestrator.embedded import Embedded
from extproc.pipeline import Pipeline
from extproc.plan import Decision, Source
from extproc.runtime import Listener, Runtime, build

_STRATEGIES: Final[Mapping[Source, str]] = {
    Source.EMBEDDED: "by the built-in strategy",
    Source.EMBEDDINGS: "by the vectors of the embeddings server",
    Source.MODEL: "by the answer of the model",
}
"""Why, where the strategy that was asked has nothing to add."""


@dataclass(frozen=True, slots=True)
class _Explained:
    """A decision, and the words that speak for each agent where it was decided by words."""

    decision: Decision
    matched: Mapping[str, Sequence[str]]


def route(
    file: Path, *, listener: str | None, messages: Path | None, text: str | None, as_json: bool
) -> None:
    """Print the decision. Raises `Failure`."""
    if (text is None) == (messages is None):
        raise Failure("give either TEXT or --messages FILE", USAGE)
    body = _body(text) if text is not None else _body_of(messages)
    config = read(file).config
    try:
        explained = asyncio.run(_decide(config, listener, body))
    except OuterloopError as error:
        raise Failure(error.message, FAULTS) from error
    except TimeoutError as error:
        raise Failure("not decided within the listener's decision_timeout", FAULTS) from error
    click.echo(json.dumps(_as_dict(explained.decision)) if as_json else _as_text(explained))


async def _decide(config: Config, name: str | None, body: bytes) -> _Explained:
    egress = Egress()
    try:
        runtime = _build(config, egress)
        listener = _listener(runtime, name)
        request = HttpRequest("POST", Api.CHAT, Headers(), body)
        decision, conversation = await Pipeline(runtime).decide(listener, request)
        local = listener.decider.local
        matches = local.explain(Question(conversation)) if isinstance(local, Embedded) else []
        return _Explained(decision, {match.agent: match.words for match in matches})
    finally:
        await egress.close()


def _build(config: Config, egress: Egress) -> Runtime:
    try:
        return build(config, generation=1, caller=egress)
    except ValueError as error:
        raise Failure(str(error), FAULTS) from error


def _body(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def _body_of(messages: Path | None) -> bytes:
    content = messages.read_bytes() if messages is not None else b""
    if content.lstrip().startswith(b"["):
        return b'{"messages":' + content + b"}"
    return content


def _listener(runtime: Runtime, name: str | None) -> Listener:
    return runtime.listeners[pick_listener(tuple(runtime.listeners), name)]


def _as_dict(decision: Decision) -> dict[str, Any]:
    plan = decision.plan
    return {
        "plan": list(plan.agents),
        "source": plan.source.value,
        "confidence": round(plan.confidence, 4),
        "scores": {agent: round(score, 4) for agent, score in plan.scores.items()},
        "ms": round(decision.milliseconds, 3),
    }


def _as_text(explained: _Explained) -> str:
    decision, plan = explained.decision, explained.decision.plan
    why = plan.reason or _STRATEGIES.get(plan.source, "")
    lines = [
        f"plan        {', '.join(plan.agents)}",
        f"source      {plan.source.value}",
        f"why         {why}",
        f"confidence  {plan.confidence:.2f}",
        f"time        {decision.milliseconds:.2f} ms",
    ]
    if plan.scores:
        width = max(map(len, plan.scores))
        lines += ["", f"score  {'agent':<{width}}  matched"]
    for agent, score in sorted(plan.scores.items(), key=lambda item: -item[1]):
        words = ", ".join(explained.matched.get(agent, ()))
        lines.append(f"{score:.3f}  {agent:<{width}}  {words}".rstrip())
    return "\n".join(lines)
