"""`outerloop route`: the decision for one conversation, and why, without starting anything."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from extproc.cli.failures import FAULTS, USAGE, Failure
from extproc.cli.files import pick_listener, read
from extproc.config.model.root import Config
from extproc.conversation import Api
from extproc.egress import Egress
from extproc.errors import OuterloopError
from extproc.http import Headers, HttpRequest
from extproc.pipeline import Pipeline
from extproc.plan import Decision
from extproc.runtime import Listener, Runtime, build


def route(
    file: Path, *, listener: str | None, messages: Path | None, text: str | None, as_json: bool
) -> None:
    """Print the decision. Raises `Failure`."""
    if (text is None) == (messages is None):
        raise Failure("give either TEXT or --messages FILE", USAGE)
    body = _body(text) if text is not None else _body_of(messages)
    try:
        decision = asyncio.run(_decide(read(file).config, listener, body))
    except OuterloopError as error:
        raise Failure(error.message, FAULTS) from error
    click.echo(json.dumps(_as_dict(decision)) if as_json else _as_text(decision))


async def _decide(config: Config, listener: str | None, body: bytes) -> Decision:
    egress = Egress()
    try:
        runtime = build(config, generation=1, caller=egress)
        request = HttpRequest("POST", Api.CHAT, Headers(), body)
        decision, _ = await Pipeline(runtime).decide(_listener(runtime, listener), request)
        return decision
    finally:
        await egress.close()


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


def _as_text(decision: Decision) -> str:
    plan = decision.plan
    lines = [
        f"plan        {', '.join(plan.agents)}",
        f"source      {plan.source.value}",
        f"confidence  {plan.confidence:.2f}",
        f"time        {decision.milliseconds:.2f} ms",
    ]
    ranked = sorted(plan.scores.items(), key=lambda item: -item[1])
    width = max((len(agent) for agent in plan.scores), default=0)
    lines += [f"  {score:.3f}  {agent:<{width}}".rstrip() for agent, score in ranked]
    return "\n".join(lines)
