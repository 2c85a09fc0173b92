"""All probes of a gateway, one after another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from extproc import names
from extproc.address import Address
from extproc.doctor import fixes
from extproc.doctor.client import Client, NoReply
from extproc.doctor.envoy import around, dump, filters, probing
from extproc.doctor.envoy.attachment import Attachment, attachments, of_listener
from extproc.doctor.expected import Expected
from extproc.doctor.fixes import Fix
from extproc.doctor.probe import Finding, Outcome, Probe, Session, ok, skipped, unknown, wrong
from extproc.doctor.probes import asked, bodies, edges, forged, routing, streaming, timing, told
from extproc.doctor.prompts import Prompts
from extproc.doctor.reply import Reply

REACHABLE: Final = "reachable"
READABLE: Final = "envoy-admin"

PROBES: Final = (
    asked.ASKED,
    asked.SHAPE,
    forged.STRIPPED,
    forged.BY_CLIENTS,
    routing.RECHOSEN,
    told.TOLD,
    told.REQUEST_ID,
    streaming.STREAMED,
    edges.TRAILERS,
    bodies.REACHING,
    bodies.ENDING,
    # Behind all others: it looks at what they saw too.
    timing.PATIENCE,
    edges.ALIVE,
    edges.PRIVATE,
)
"""In their order: what needs another one stands behind it."""

OF_ENVOY: Final = (probing.ATTACHED, *filters.PROBES, *around.PROBES)


@dataclass(frozen=True, slots=True)
class Result:
    """What one probe found, and what to change where something is wrong."""

    name: str
    outcome: Outcome
    seen: str
    fix: Fix | None


async def examine(
    client: Client, prompts: Prompts, expected: Expected, envoy_admin: Address | None = None
) -> AsyncIterator[Result]:
    """Yield the results as they come; nothing but the first where nobody is reachable.

    `client` and `prompts` count what is sent; close the one when all is over.
    """
    try:
        models = await client.get(names.PATH_MODELS)
    except NoReply as error:
        yield _result(REACHABLE, wrong(str(error)), fixes.ADDRESS)
        return
    yield _result(REACHABLE, _reached(models), fixes.ADDRESS)
    outcomes = {REACHABLE: Outcome.OK}
    expected = expected.listing(models)
    found: tuple[Attachment, ...] = ()
    probes: Sequence[Probe] = PROBES
    if envoy_admin is not None:
        try:
            found = await _attachments(envoy_admin, expected.listener)
            probes = (*PROBES, *OF_ENVOY)
        except dump.Unreadable as error:
            yield _result(READABLE, wrong(str(error)), fixes.READABLE)
    session = Session(client, prompts, expected, models, found)
    for probe in probes:
        if expected.observes and not probe.observers:
            yield _result(probe.name, skipped("the listener only observes"), probe.fix)
            continue
        finding = await _find(probe, session, outcomes)
        outcomes[probe.name] = finding.outcome
        yield _result(probe.name, finding, probe.fix)


async def _attachments(address: Address, listener: str | None) -> tuple[Attachment, ...]:
    dumped = await dump.read(address)
    try:
        return of_listener(attachments(dumped), listener)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise dump.Unreadable(f"what {address} shows is not understood") from error


async def _find(probe: Probe, session: Session, outcomes: Mapping[str, Outcome]) -> Finding:
    # What makes no sense for this listener is not there, and stands in nobody's way.
    lacking = [name for name in probe.needs if outcomes.get(name, Outcome.OK) is not Outcome.OK]
    if lacking:
        return skipped(f"{lacking[0]} must be ok first")
    try:
        return await probe.run(session)
    except NoReply as error:
        return unknown(str(error))


def _reached(models: Reply) -> Finding:
    return ok(f"GET {names.PATH_MODELS} is answered in {models.seconds * 1000:.0f} ms")


def _result(name: str, finding: Finding, fix: Fix) -> Result:
    mend = (finding.fix or fix) if finding.outcome is Outcome.WRONG else None
    return Result(name, finding.outcome, finding.seen, mend)
