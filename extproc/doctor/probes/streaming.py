"""Do streams come as agents send them, or all at once?"""

from __future__ import annotations

from typing import Final

from extproc.doctor import fixes
from extproc.doctor.probe import Finding, Outcome, Probe, Session, ok, skipped, unknown, wrong
from extproc.doctor.reply import Reply

_AGENTS: Final = 2
"""How many are asked at most: one may not stream."""

_APART: Final = 0.05
"""Seconds between first and last piece: what is held is let go within fewer."""
_LONG: Final = 0.3
"""Seconds before the first piece: an agent that takes fewer may have been as fast as that."""
_FEW: Final = 2
"""Events: less than that many are no stream."""


async def _is_streamed(session: Session) -> Finding:
    """Ask agents for a stream until one comes in pieces."""
    expected = session.expected
    agents = [agent for agent in expected.agents if agent not in expected.filtered][:_AGENTS]
    if not agents:
        return skipped("all answers pass output filters, which may hold them")
    findings = []
    for agent in agents:
        finding = _of_one(agent, await session.prompts.streamed(agent))
        if finding.outcome is Outcome.OK:
            return finding
        findings.append(finding)
    return min(findings, key=lambda finding: finding.outcome is not Outcome.WRONG)


def _of_one(agent: str, reply: Reply) -> Finding:
    kind = (reply.header("content-type") or "").partition(";")[0]
    if not reply.succeeded:
        return unknown(f"{agent}: {reply}")
    if kind != "text/event-stream":
        return unknown(f"{agent} does not stream: {kind or 'no content-type'}")
    events = reply.body.count(b"\n\n") + reply.body.count(b"\r\n\r\n")
    if events <= _FEW or not reply.arrivals:
        return unknown(f"{agent} sends {events} events, too few to see")
    first, last = reply.arrivals[0], reply.arrivals[-1]
    if last - first >= _APART:
        return ok(
            f"{agent}: {events} events within {last - first:.2f} s, the first after {first:.2f} s"
        )
    seen = f"{agent}: all {events} events at once, after {first:.2f} s"
    if reply.header("content-length") is not None:
        return wrong(f"{seen}, with a content-length")
    return wrong(seen) if first >= _LONG else unknown(f"{seen}: too fast to see")


STREAMED = Probe("streaming", _is_streamed, fixes.STREAMED, needs=("processor",), observers=True)
