"""Does a request go where the decision says?"""

from __future__ import annotations

from typing import Final

from extproc import names
from extproc.doctor import fixes
from extproc.doctor.probe import Finding, Outcome, Probe, Session, ok, unknown, wrong
from extproc.doctor.reply import Reply

_AGENTS: Final = 2
"""How many are asked: enough to see that there is more than one route."""

_OF_THE_ROUTE: Final = frozenset(
    (
        "no_healthy_upstream",
        "overloaded",
        "upstream_unreachable",
        "bad_upstream",
        "upstream_reset",
        "upstream_timeout",
    )
)
"""Codes of an agent that was looked for, and so of a route that was chosen."""


async def _is_rechosen(session: Session) -> Finding:
    """Name two agents as the model, one after the other, and look at who answers."""
    agents = session.expected.agents[:_AGENTS]
    replies = [await session.prompts.explicit(agent) for agent in agents]
    findings = [_of_one(*each) for each in zip(agents, replies, strict=True)]
    for outcome in (Outcome.WRONG, Outcome.UNKNOWN):
        for finding in findings:
            if finding.outcome is outcome:
                return finding
    bodies = {reply.body for reply in replies}
    if len(bodies) < len(replies) and all(bodies):
        return unknown(f"{' and '.join(agents)} answer the same, byte for byte")
    return ok(", ".join(finding.seen for finding in findings))


def _of_one(agent: str, reply: Reply) -> Finding:
    decided = reply.header(names.HEADER_AGENT)
    seen = f"model {agent}: {reply}" + (f" from {decided}" if decided not in {agent, None} else "")
    if reply.code == "no_route" or _is_envoys_own(reply):
        return wrong(seen)
    if reply.code in _OF_THE_ROUTE:
        return ok(f"{seen}, which is the agent's affair")
    if reply.code is not None or not reply.succeeded:
        return unknown(seen)
    if decided is None:
        return unknown(f"{seen}, and nobody says who answered")
    return ok(seen)


def _is_envoys_own(reply: Reply) -> bool:
    """Tell whether it is what Envoy answers where it finds no route, or one that leads nowhere."""
    return reply.code is None and reply.status in {404, 421, 503} and not reply.body


RECHOSEN = Probe("routing", _is_rechosen, fixes.RECHOSEN, needs=("processor",))
