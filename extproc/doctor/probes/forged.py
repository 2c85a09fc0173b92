"""Can a client say what only the gateway may say?"""

from __future__ import annotations

from typing import Final

from extproc import names
from extproc.doctor import fixes
from extproc.doctor.expected import listed
from extproc.doctor.probe import Finding, Probe, Session, ok, unknown, wrong
from extproc.doctor.reply import Reply
from extproc.doctor.requests import BROKEN

_DECISION: Final = (
    names.HEADER_AGENT,
    names.HEADER_PLAN,
    names.HEADER_SOURCE,
    names.HEADER_STEP,
    names.HEADER_CONFIDENCE,
)
_REFUSED: Final = (400, "invalid_request")


async def _are_stripped(session: Session) -> Finding:
    """Forge each kind of header on requests that no agent sees, and look for its effects."""
    if (counts := await _listener_counts(session)) is not None:
        return wrong(counts)
    if session.expected.observes:
        return ok(f"a client's {names.HEADER_LISTENER} has no effect")
    counts = await _target_counts(session) or await _decision_counts(session)
    return wrong(counts) if counts is not None else await _underscores(session)


async def _listener_counts(session: Session) -> str | None:
    reply = await session.client.get(
        names.PATH_MODELS, [(names.HEADER_LISTENER, session.client.mark)]
    )
    if reply.code != "internal_error" and listed(reply) == listed(session.models):
        return None
    return f"a client's {names.HEADER_LISTENER} counts: {reply}"


async def _target_counts(session: Session) -> str | None:
    target = names.TAKEOVER + session.client.mark
    reply = await session.client.post(names.PATH_CHAT, BROKEN, [(names.HEADER_TARGET, target)])
    if reply.refuses(*_REFUSED):
        return None
    return f"a client's {names.HEADER_TARGET} gets past the decision: {reply}"


async def _decision_counts(session: Session) -> str | None:
    client = session.client
    forged = [(name, client.mark) for name in _DECISION for _ in range(2)]
    replies = {
        "GET": await client.get(names.PATH_CHAT, forged),
        "POST": await client.post(names.PATH_CHAT, BROKEN, forged),
    }
    for method, reply in replies.items():
        if (echoed := _echoed(reply, client.mark)) is not None:
            return f"{method} {names.PATH_CHAT}: a client's {echoed} comes back as ours"
    return None


async def _underscores(session: Session) -> Finding:
    """Agents may take them for hyphens, and gateways may refuse them altogether."""
    client = session.client
    reply = await client.post(names.PATH_CHAT, BROKEN, [("X_Outerloop_Agent", client.mark)])
    if _echoed(reply, client.mark) is not None:
        return wrong("a client's X_Outerloop_Agent comes back as ours")
    if not reply.refuses(*_REFUSED):
        return ok(f"no forged header has an effect; with underscores: {reply}")
    return ok("no forged header has an effect")


def _echoed(reply: Reply, mark: str) -> str | None:
    return next(
        (name for name, value in reply.headers if mark in value and name in _DECISION), None
    )


async def _choose_nothing(session: Session) -> Finding:
    """Name an agent in a header where the processor must refuse, and where another is wanted."""
    agents = session.expected.agents
    agent, other = agents[0], agents[-1]
    forged = [(name, other) for name in (names.HEADER_AGENT, names.HEADER_AGENT.title())]
    said = f"{names.HEADER_AGENT}: {other}"
    reply = await session.client.get(names.PATH_CHAT, forged)
    if not reply.refuses(405, "method_not_allowed"):
        return wrong(f"GET {names.PATH_CHAT} with {said}: {reply}")
    reply = await session.client.post(names.PATH_CHAT, BROKEN, forged)
    if not reply.refuses(*_REFUSED):
        return wrong(f"POST {names.PATH_CHAT} with {said} and broken JSON: {reply}")
    if agent == other:
        return ok(f"{said} brings no request past the processor")
    decided = (await session.prompts.explicit(agent)).header(names.HEADER_AGENT)
    if decided in {None, other}:
        return unknown(f"{said} brings no broken request past the processor; more is not told")
    got = (await session.prompts.spoofed(agent, forged)).header(names.HEADER_AGENT)
    seen = f"model {agent} with {said} went to {got or 'nobody who is told'}"
    return ok(seen) if got == decided else wrong(seen)


STRIPPED = Probe(
    "headers-stripped", _are_stripped, fixes.STRIPPED, needs=("processor", "errors"), observers=True
)
BY_CLIENTS = Probe(
    "agent-by-header", _choose_nothing, fixes.BY_CLIENTS, needs=("processor", "errors")
)
