from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.doctor import fixes
from extproc.doctor.probe import Outcome, Session
from extproc.doctor.probes.timing import PATIENCE
from extproc.doctor.reply import Reply

Visit = Callable[..., Session]
LATE = (("x-outerloop-error", "decision_timeout"),)


@pytest.mark.parametrize(("asks_servers", "prompts"), [(False, 1), (True, 3)])
async def test_decisions_that_are_all_quick_prove_nothing(
    visit: Visit, gateway: Any, asks_servers: bool, prompts: int
) -> None:
    session = visit(gateway, asks_servers=asks_servers)
    assert (await PATIENCE.run(session)).outcome is Outcome.UNKNOWN
    client: Any = session.client
    assert session.prompts.sent == prompts
    # No answer is one that was remembered.
    assert len({asked.body for asked in client.asked}) == prompts


@pytest.mark.parametrize(
    ("milliseconds", "outcome"),
    [("1012.5", Outcome.OK), ("150", Outcome.UNKNOWN), ("soon", Outcome.UNKNOWN)],
)
async def test_a_slow_decision_that_was_waited_for(
    visit: Visit, make_decided: Callable[..., Reply], milliseconds: str, outcome: Outcome
) -> None:
    reply = make_decided("weather", **{"decision-ms": milliseconds})
    assert (await PATIENCE.run(visit(lambda _: reply))).outcome is outcome


@pytest.mark.parametrize("reply", [Reply(504, LATE, seconds=0.21), Reply(504, seconds=0.21)])
@pytest.mark.parametrize("limit", [None, 30.0])
async def test_a_decision_that_was_not_waited_for(
    visit: Visit, reply: Reply, limit: float | None
) -> None:
    session = visit(lambda _: reply, decision_timeout=limit, asks_servers=True)
    finding = await PATIENCE.run(session)
    assert (finding.outcome, finding.fix) == (Outcome.WRONG, None)
    assert "after 0.21 s" in finding.seen
    assert ("the file allows 30 s" in finding.seen) == (limit is not None)
    assert session.prompts.sent == 1


async def test_a_decision_that_takes_all_its_time(visit: Visit) -> None:
    reply = Reply(504, LATE, seconds=5.1)
    finding = await PATIENCE.run(visit(lambda _: reply, decision_timeout=5.0))
    assert (finding.outcome, finding.fix) == (Outcome.WRONG, fixes.SLOW)


async def test_what_other_probes_saw_counts(visit: Visit, gateway: Any) -> None:
    session = visit(gateway, decision_timeout=30.0)
    session.client.replies.append(Reply(504, LATE, seconds=0.3))
    assert (await PATIENCE.run(session)).outcome is Outcome.WRONG


@pytest.mark.parametrize(
    "reply",
    [
        Reply(504, (("x-outerloop-error", "upstream_timeout"),)),
        Reply(504, (("x-outerloop-error", "filter_failed"),)),
        Reply(504, body=b"upstream request timeout"),
        Reply(503, LATE),
    ],
)
async def test_what_was_waited_for_is_not_the_decision(visit: Visit, reply: Reply) -> None:
    assert (await PATIENCE.run(visit(lambda _: reply))).outcome is Outcome.UNKNOWN


async def test_a_prompt_that_passes_undecided(
    visit: Visit, make_refusal: Callable[..., Reply]
) -> None:
    reply = make_refusal(503, "no_route")
    assert (await PATIENCE.run(visit(lambda _: reply))).outcome is Outcome.WRONG
