"""Does the gateway wait as long as a decision may take?

From outside this shows only where a decision does take long: see `docs/doctor.md`.
"""

from __future__ import annotations

from typing import Final

from extproc import names
from extproc.doctor import fixes
from extproc.doctor.probe import Finding, Probe, Session, ok, unknown, wrong
from extproc.doctor.reply import Reply

_TRIES: Final = 3
_DEFAULT: Final = 0.2
"""Seconds that Envoy waits unless it is told otherwise."""


async def _is_patient(session: Session) -> Finding:
    """Have something decided, and look at all that was answered so far."""
    limit = session.expected.decision_timeout
    for number in range(_TRIES if session.expected.asks_servers else 1):
        # Texts that differ: decisions are remembered.
        reply = await session.prompts.undirected(f"ping {number + 1}")
        if _given_up(reply):
            break
        if reply.code == "no_route" and reply.header(names.HEADER_AGENT) is None:
            return wrong(f"a prompt for nobody: {reply}, undecided after {reply.seconds:.2f} s")
    replies = session.client.replies
    late = [reply for reply in replies if _given_up(reply)]
    early = [reply for reply in late if limit is None or reply.seconds < limit]
    if early:
        allowed = "" if limit is None else f"; the file allows {limit:g} s"
        return wrong(f"{early[0]} after {early[0].seconds:.2f} s{allowed}")
    if late:
        return wrong(f"{late[0]} after {late[0].seconds:.2f} s", fixes.SLOW)
    slowest = max(map(_decision_seconds, replies), default=0.0)
    if slowest > _DEFAULT:
        return ok(f"a decision of {slowest:.2f} s was waited for")
    return unknown("no decision was seen to take long; --envoy-admin reads message_timeout")


def _given_up(reply: Reply) -> bool:
    """Tell whether a decision was not waited for. What waits for an agent says so."""
    if reply.status != 504:  # noqa: PLR2004 - what both Envoy and we answer
        return False
    return reply.code == "decision_timeout" or (
        reply.code is None and b"upstream" not in reply.body
    )


def _decision_seconds(reply: Reply) -> float:
    try:
        return float(reply.header(names.HEADER_DECISION_MS) or 0) / 1000
    except ValueError:
        return 0.0


PATIENCE = Probe("timeout", _is_patient, fixes.PATIENCE, needs=("processor",), observers=True)
