from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from extproc.doctor import fixes
from extproc.doctor.envoy.attachment import Attachment, attachments
from extproc.doctor.envoy.probing import ATTACHED, probe
from extproc.doctor.expected import Expected
from extproc.doctor.probe import Finding, Outcome, Session, ok, unknown, wrong

Make = Callable[..., Any]


@pytest.fixture
def found(make_dump: Make, make_manager: Make) -> tuple[Attachment, ...]:
    return attachments(make_dump(make_manager(), make_manager()))


async def test_the_worst_of_all_attachments_counts(
    visit: Callable[..., Session], gateway: Any, found: tuple[Attachment, ...]
) -> None:
    findings = {"l1": unknown("perhaps"), "l2": wrong("a fault")}

    def question(attachment: Attachment, _expected: Expected) -> Finding:
        return findings[attachment.name]

    session = replace(visit(gateway), attachments=found)
    made = probe("envoy-x", question, fixes.BODIES)
    finding = await made.run(session)
    assert (finding.outcome, finding.seen) == (Outcome.WRONG, "listener l2: a fault")
    assert (made.needs, made.observers) == (("envoy-ext-proc",), True)
    findings["l2"] = ok("fine")
    assert (await made.run(session)).outcome is Outcome.UNKNOWN
    alone = replace(session, attachments=found[:1])
    assert (await made.run(alone)).seen == "perhaps"


async def test_where_the_filter_is(
    visit: Callable[..., Session], gateway: Any, found: tuple[Attachment, ...]
) -> None:
    session = replace(visit(gateway), attachments=found)
    finding = await ATTACHED.run(session)
    assert (finding.outcome, finding.seen) == (
        Outcome.OK,
        "listener l1: ext_proc; listener l2: ext_proc",
    )
    assert (await ATTACHED.run(visit(gateway))).outcome is Outcome.WRONG
