"""Questions to an attachment, as probes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from extproc.doctor import fixes
from extproc.doctor.envoy.attachment import Attachment
from extproc.doctor.expected import Expected
from extproc.doctor.fixes import Fix
from extproc.doctor.probe import Finding, Outcome, Probe, Session, ok, wrong

Question = Callable[[Attachment, Expected], Finding]

_BY_WEIGHT: Final = (Outcome.WRONG, Outcome.UNKNOWN, Outcome.SKIPPED, Outcome.OK)


def probe(name: str, question: Question, fix: Fix) -> Probe:
    """Return the probe that asks every attachment and finds the worst of the answers."""

    async def run(session: Session) -> Finding:
        found = session.attachments
        several = len(found) > 1
        findings = [
            _at(each, question(each, session.expected))
            if several
            else question(each, session.expected)
            for each in found
        ]
        return min(findings, key=lambda finding: _BY_WEIGHT.index(finding.outcome))

    return Probe(name, run, fix, needs=(ATTACHED.name,), observers=True)


def _at(attachment: Attachment, finding: Finding) -> Finding:
    return replace(finding, seen=f"listener {attachment.name}: {finding.seen}")


async def _is_attached(session: Session) -> Finding:
    """Look for the filter in any listener."""
    found = session.attachments
    if not found:
        return wrong("no listener has an ext_proc filter that is sent requests")
    return ok(
        "; ".join(
            f"listener {each.name}: {', '.join(one.name for one in each.deciding)}"
            for each in found
        )
    )


ATTACHED: Final = Probe("envoy-ext-proc", _is_attached, fixes.ATTACHED, observers=True)
