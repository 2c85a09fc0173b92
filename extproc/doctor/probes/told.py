"""Are clients told what was decided, and is their request's id kept?"""

from __future__ import annotations

from typing import Final

from extproc import names
from extproc.doctor import fixes
from extproc.doctor.probe import Finding, Probe, Session, ok, unknown, wrong

_BASIC: Final = (names.HEADER_AGENT, names.HEADER_PLAN, names.HEADER_SOURCE)
_FULL: Final = (
    *_BASIC,
    names.HEADER_CONFIDENCE,
    names.HEADER_CACHED,
    names.HEADER_DECISION_MS,
    names.HEADER_STEP,
)
"""Without the variant, which not every agent has."""

_LEVELS: Final = {"none": (), "basic": _BASIC, "full": _FULL}


async def _is_told(session: Session) -> Finding:
    """Look for our headers on an answer that was decided."""
    agent, level = session.expected.agents[0], session.expected.response_headers
    reply = await session.prompts.explicit(agent)
    there = [name for name in _FULL if reply.header(name) is not None]
    if reply.code is not None and not there:
        return unknown(f"model {agent}: {reply}")
    if level is None:
        guessed = "full" if names.HEADER_STEP in there else "basic" if there else "none"
        missing = [name for name in _LEVELS[guessed] if name not in there]
        if missing:
            return wrong(f"{', '.join(there)}, but not {', '.join(missing)}")
        return (
            ok(f"response_headers {guessed}") if there else unknown("none of our headers is told")
        )
    missing = [name for name in _LEVELS[level] if name not in there]
    if missing:
        return wrong(f"response_headers {level}, without {', '.join(missing)}")
    more = [name for name in there if name not in _LEVELS[level]]
    if more:
        return wrong(f"response_headers {level}, and yet {', '.join(more)}")
    return ok(f"response_headers {level}")


async def _is_kept(session: Session) -> Finding:
    """Look for the id that was sent on the answer."""
    sent, got = session.models.request_id, session.models.header(names.HEADER_REQUEST_ID)
    if got is None:
        return unknown("no answer tells it")
    if got != sent:
        return wrong(f"{sent} came back as {got}")
    return ok("the client's comes back")


TOLD = Probe("response-headers", _is_told, fixes.TOLD, needs=("processor",), observers=True)
REQUEST_ID = Probe("request-id", _is_kept, fixes.REQUEST_ID, needs=("processor",), observers=True)
