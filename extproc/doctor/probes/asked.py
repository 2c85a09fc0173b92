"""Is the processor asked at all, and do its answers come through?"""

from __future__ import annotations

from typing import Final

from extproc import names
from extproc.doctor import fixes
from extproc.doctor.expected import listed
from extproc.doctor.probe import Finding, Probe, Session, ok, unknown, wrong
from extproc.doctor.reply import Reply
from extproc.doctor.requests import BROKEN

_OF_CODES: Final = {
    "processor_unavailable": fixes.ANSWERING,
    "decision_timeout": fixes.PATIENCE,
    "internal_error": fixes.PHASES,
    "no_route": fixes.ATTACHED,
}
_OF_STATUSES: Final = {
    **dict.fromkeys((401, 403, 407), fixes.CREDENTIALS),
    # Envoy's own, where no local replies say more.
    500: fixes.ANSWERING,
    503: fixes.UNANSWERED,
    504: fixes.PATIENCE,
}
"""What to change, by what came in place of the processor's answer."""


async def _is_asked(session: Session) -> Finding:
    """Look for answers that only the processor gives: its list of agents, and its refusal."""
    if session.expected.observes:
        return await _is_observed(session)
    models = session.models
    if not listed(models):
        whose = ", and not our list of agents" if models.succeeded else ""
        return _not_asked(f"GET {names.PATH_MODELS}: {models}{whose}", models)
    reply = await session.client.post(names.PATH_CHAT, BROKEN)
    if reply.status != 400 or _code(reply) != "invalid_request":  # noqa: PLR2004 - its status
        return _not_asked(f"POST {names.PATH_CHAT} with broken JSON: {reply}", reply)
    agents = listed(models)
    return ok(f"it lists {len(agents)} agent{'s'[: len(agents) != 1]}, and refuses broken JSON")


def _not_asked(seen: str, reply: Reply) -> Finding:
    return wrong(seen, _OF_CODES.get(reply.code or "") or _OF_STATUSES.get(reply.status))


async def _is_observed(session: Session) -> Finding:
    """Look for a decision on an answer: a listener that observes refuses nothing."""
    agent = session.expected.agents[0]
    reply = await session.prompts.explicit(agent)
    decided = reply.header(names.HEADER_AGENT)
    if decided is not None:
        return ok(f"it observes, and decided for {decided}")
    if session.expected.response_headers == "none":
        return unknown("it observes and tells nothing: response_headers is none")
    return wrong(f"POST {names.PATH_CHAT}: {reply}, without {names.HEADER_AGENT}")


def _code(reply: Reply) -> str | None:
    """Return our code even where its header was lost."""
    return reply.code or reply.error.get("code")


async def _has_its_shape(session: Session) -> Finding:
    """Look whether errors arrive as their APIs have them."""
    for path in (names.PATH_CHAT, names.PATH_MESSAGES):
        reply = await session.client.post(path, BROKEN)
        lost = [
            what
            for what, there in (
                (names.HEADER_ERROR, reply.code is not None),
                ("content-type", (reply.header("content-type") or "") == "application/json"),
                ("its JSON", reply.error.get("code") == "invalid_request"),
            )
            if not there
        ]
        if lost:
            return wrong(f"POST {path} with broken JSON: {reply.status} without {', '.join(lost)}")
        typed = reply.document.get("type") == "error"
        if typed != path.startswith(names.PATH_MESSAGES):
            return wrong(f"POST {path} with broken JSON: the error of another API")
    return ok("400 invalid_request in the shape of both APIs")


ASKED = Probe("processor", _is_asked, fixes.ATTACHED, needs=("reachable",), observers=True)
SHAPE = Probe("errors", _has_its_shape, fixes.SHAPE, needs=("processor",))
