"""`outerloop route`: the decision for one conversation, and why, without starting anything."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from extproc.cli.failures import FAULTS, USAGE, Failure
from extproc.cli.files import pick_listener, read
from extproc.config.model.root import Config
from extproc.egress import Egress, gateway_of
from extproc.errors import OuterloopError
from extproc.explaining import Explained, body_of, explain, summary
from extproc.runtime import Listener, Runtime, build


def route(
    file: Path, *, listener: str | None, messages: Path | None, text: str | None, as_json: bool
) -> None:
    """Print the decision. Raises `Failure`."""
    if (text is None) == (messages is None):
        raise Failure("give either TEXT or --messages FILE", USAGE)
    body = body_of(text) if text is not None else _body_of(messages)
    config = read(file).config
    try:
        explained = asyncio.run(_decide(config, listener, body))
    except OuterloopError as error:
        raise Failure(error.message, FAULTS) from error
    except TimeoutError as error:
        raise Failure("not decided within the listener's decision_timeout", FAULTS) from error
    click.echo(json.dumps(summary(explained.decision)) if as_json else _as_text(explained))


async def _decide(config: Config, name: str | None, body: bytes) -> Explained:
    egress = Egress()
    try:
        runtime = _build(config, egress)
        return await explain(runtime, _listener(runtime, name), body)
    finally:
        await egress.close()


def _build(config: Config, egress: Egress) -> Runtime:
    try:
        caller = egress.through(gateway_of(config))
        return build(config, generation=1, caller=caller)
    except ValueError as error:
        raise Failure(str(error), FAULTS) from error


def _body_of(messages: Path | None) -> bytes:
    content = messages.read_bytes() if messages is not None else b""
    if content.lstrip().startswith(b"["):
        return b'{"messages":' + content + b"}"
    return content


def _listener(runtime: Runtime, name: str | None) -> Listener:
    return runtime.listeners[pick_listener(tuple(runtime.listeners), name)]


def _as_text(explained: Explained) -> str:
    decision, plan = explained.decision, explained.decision.plan
    lines = [
        f"plan        {', '.join(plan.agents)}",
        f"source      {plan.source.value}",
        f"why         {explained.reason}",
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
