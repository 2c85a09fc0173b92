from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from extproc.doctor.probe import Outcome, Session
from extproc.doctor.probes.streaming import STREAMED
from extproc.doctor.reply import Reply

Visit = Callable[..., Session]
EVENTS = b"data: {}\n\n" * 5
SSE = ("content-type", "text/event-stream; charset=utf-8")


def stream(*arrivals: float, body: bytes = EVENTS, more: Sequence[tuple[str, str]] = ()) -> Reply:
    return Reply(200, (SSE, *more), body, arrivals=arrivals)


@pytest.mark.parametrize(
    ("reply", "outcome", "told"),
    [
        (stream(0.1, 0.4, 0.7), Outcome.OK, "5 events within 0.60 s"),
        (stream(2.0, 2.1, body=b"data: x\r\n\r\n" * 3), Outcome.OK, "3 events"),
        (stream(1.2, 1.21), Outcome.WRONG, "all 5 events at once, after 1.20 s"),
        (stream(0.01, 0.01), Outcome.UNKNOWN, "too fast to see"),
        (
            stream(0.01, 0.01, more=[("content-length", "50")]),
            Outcome.WRONG,
            "with a content-length",
        ),
        (stream(0.5, 0.5, body=b"data: x\n\n"), Outcome.UNKNOWN, "too few"),
        (stream(body=b""), Outcome.UNKNOWN, "too few"),
        (Reply(200, (("content-type", "application/json"),)), Outcome.UNKNOWN, "does not stream"),
        (Reply(200), Outcome.UNKNOWN, "no content-type"),
        (Reply(500, (SSE,), EVENTS), Outcome.UNKNOWN, "500"),
    ],
)
async def test_when_events_come(visit: Visit, reply: Reply, outcome: Outcome, told: str) -> None:
    finding = await STREAMED.run(visit(lambda _: reply))
    assert finding.outcome is outcome
    assert told in finding.seen


async def test_one_agent_that_streams_is_enough(visit: Visit) -> None:
    replies = {"weather": stream(1.2, 1.2), "flights": stream(0.1, 0.9)}
    session = visit(lambda asked: replies.get(asked.document.get("model"), Reply(200)))
    finding = await STREAMED.run(session)
    assert finding.outcome is Outcome.OK
    assert session.prompts.sent == 2


async def test_a_fault_weighs_more_than_what_is_not_known(visit: Visit) -> None:
    replies = {"weather": Reply(500), "flights": stream(1.2, 1.2)}
    session = visit(lambda asked: replies.get(asked.document.get("model"), Reply(200)))
    assert (await STREAMED.run(session)).outcome is Outcome.WRONG


async def test_answers_that_filters_may_hold_are_left_out(visit: Visit) -> None:
    def answer(_asked: Any) -> Reply:
        return stream(0.1, 0.9)

    session = visit(answer, filtered=frozenset({"weather"}))
    assert "flights" in (await STREAMED.run(session)).seen
    session = visit(answer, filtered=frozenset({"weather", "flights"}))
    assert (await STREAMED.run(session)).outcome is Outcome.SKIPPED
    assert session.prompts.sent == 0
