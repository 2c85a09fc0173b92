"""What lies around: liveness, the admin, and requests that end in trailers."""

from __future__ import annotations

from extproc import names
from extproc.doctor import fixes, http2
from extproc.doctor.probe import Finding, Probe, Session, ok, unknown, wrong
from extproc.doctor.requests import BROKEN


async def _is_alive(session: Session) -> Finding:
    """Ask for liveness, which the gateway answers without the processor."""
    reply = await session.client.get(names.PATH_HEALTH)
    if reply.succeeded:
        return ok(f"GET {names.PATH_HEALTH}: {reply}")
    if reply.code == "not_found":
        return unknown(f"GET {names.PATH_HEALTH}: the processor answers, not the gateway")
    return unknown(f"GET {names.PATH_HEALTH}: {reply}")


async def _is_private(session: Session) -> Finding:
    """Ask the gateway for a page of the processor's admin."""
    reply = await session.client.get("/readyz")
    if {"generation", "workers"} <= reply.document.keys():
        return wrong("GET /readyz is answered by the processor's admin")
    return ok(f"GET /readyz: {reply}")


async def _are_decided(session: Session) -> Finding:
    """Send requests over HTTP/2 that end in trailers, with a body and without."""
    for how, body in (("no body", b""), ("a broken body", BROKEN)):
        try:
            answer = await http2.post_with_trailers(
                session.client.target, names.PATH_CHAT, body, session.client.next_id()
            )
        except http2.NotSpoken as error:
            return unknown(str(error))
        if b'"invalid_request"' not in answer:
            said = answer[:60].decode("ascii", "replace").strip()
            return wrong(f"{how}, then trailers: {said or 'an answer without body'}")
    return ok("HTTP/2 is spoken, and what ends in trailers is refused as it must be")


ALIVE = Probe("health", _is_alive, fixes.HEALTH, needs=("reachable",), observers=True)
PRIVATE = Probe("admin", _is_private, fixes.PRIVATE, needs=("reachable",), observers=True)
TRAILERS = Probe("trailers", _are_decided, fixes.TRAILERS, needs=("processor",))
