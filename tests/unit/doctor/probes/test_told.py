from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.doctor.probe import Outcome, Session
from extproc.doctor.probes.told import REQUEST_ID, TOLD
from extproc.doctor.reply import Reply

Visit = Callable[..., Session]
BASIC = ("agent", "plan", "source")
FULL = (*BASIC, "confidence", "cached", "decision-ms", "step")


@pytest.mark.parametrize(
    ("level", "there", "outcome"),
    [
        ("full", FULL, Outcome.OK),
        ("full", BASIC, Outcome.WRONG),
        ("basic", BASIC, Outcome.OK),
        ("basic", FULL, Outcome.WRONG),
        ("basic", (), Outcome.WRONG),
        ("none", (), Outcome.OK),
        ("none", BASIC, Outcome.WRONG),
        (None, FULL, Outcome.OK),
        (None, BASIC, Outcome.OK),
        (None, BASIC[:2], Outcome.WRONG),
        (None, FULL[3:], Outcome.WRONG),
        (None, (), Outcome.UNKNOWN),
    ],
)
async def test_what_is_told_and_what_should_be(
    visit: Visit, level: str | None, there: tuple[str, ...], outcome: Outcome
) -> None:
    reply = Reply(200, tuple((f"x-outerloop-{name}", "x") for name in there))
    finding = await TOLD.run(visit(lambda _: reply, response_headers=level))
    assert finding.outcome is outcome


@pytest.mark.parametrize(
    ("back", "outcome"),
    [("mine", Outcome.OK), ("another", Outcome.WRONG), (None, Outcome.UNKNOWN)],
)
async def test_the_id_that_comes_back(visit: Visit, back: str | None, outcome: Outcome) -> None:
    headers = (("x-request-id", back),) if back is not None else ()
    session = visit(lambda _: Reply(200, headers, request_id="mine"))
    assert (await REQUEST_ID.run(session)).outcome is outcome


async def test_what_is_missing_is_named(visit: Visit, make_decided: Callable[..., Reply]) -> None:
    whole = make_decided("weather")
    reply = Reply(200, tuple(each for each in whole.headers if "cached" not in each[0]))
    finding = await TOLD.run(visit(lambda _: reply, response_headers="full"))
    assert finding.seen == "response_headers full, without x-outerloop-cached"


async def test_what_a_filter_refuses_was_not_decided(visit: Visit) -> None:
    reply = Reply(403, (("x-outerloop-error", "filter_denied"),))
    finding = await TOLD.run(visit(lambda _: reply, response_headers="full"))
    assert (finding.outcome, finding.seen) == (
        Outcome.UNKNOWN,
        "model weather: 403 filter_denied",
    )


def test_a_listener_that_observes_tells_too() -> None:
    probes: tuple[Any, ...] = (TOLD, REQUEST_ID)
    assert all(probe.observers for probe in probes)
