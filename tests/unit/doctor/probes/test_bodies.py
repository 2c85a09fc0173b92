from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.doctor.client import NoReply, TooLate
from extproc.doctor.probe import Outcome, Session
from extproc.doctor.probes.bodies import ENDING, REACHING
from extproc.doctor.reply import Reply
from extproc.doctor.requests import Filler

Visit = Callable[..., Session]
MIB = 2**20


def limited(gateway: Any, limit: int, reply: Reply | Exception) -> Callable[[Any], Reply]:
    """Answer so what is over a limit."""

    def answer(asked: Any) -> Reply:
        if not isinstance(asked.body, Filler) or asked.body.size <= limit:
            return gateway(asked)  # type: ignore[no-any-return] # a fixture's
        if isinstance(reply, Exception):
            raise reply
        return reply

    return answer


def sizes(session: Session) -> list[int]:
    client: Any = session.client
    return [asked.body.size for asked in client.asked]


@pytest.mark.parametrize(
    ("limit", "sent"),
    [
        (None, [MIB + 2**16, 4 * MIB + 2**16]),
        (6 * MIB, [MIB + 2**16, 4 * MIB + 2**16, 6 * MIB]),
        (MIB // 2, [MIB // 2]),
        (2**30, [MIB + 2**16, 4 * MIB + 2**16]),
    ],
)
async def test_bodies_grow_up_to_the_limit(
    visit: Visit, gateway: Any, limit: int | None, sent: list[int]
) -> None:
    session = visit(gateway, max_request_bytes=limit)
    assert (await REACHING.run(session)).outcome is Outcome.OK
    assert sizes(session) == sent


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(413), Outcome.WRONG),
        (Reply(413, (("x-outerloop-error", "request_too_large"),)), Outcome.WRONG),
        (Reply(500), Outcome.WRONG),
        (Reply(200), Outcome.WRONG),
        (NoReply("the connection was closed"), Outcome.WRONG),
        (Reply(504), Outcome.UNKNOWN),
        (Reply(408, (("x-outerloop-error", "request_timeout"),)), Outcome.UNKNOWN),
        (TooLate("no answer"), Outcome.UNKNOWN),
    ],
)
@pytest.mark.parametrize("known", [6 * MIB, None])
async def test_the_first_size_that_fails_is_told(
    visit: Visit, gateway: Any, known: int | None, reply: Reply | Exception, outcome: Outcome
) -> None:
    session = visit(limited(gateway, 2 * MIB, reply), max_request_bytes=known)
    finding = await REACHING.run(session)
    assert finding.outcome is outcome
    assert finding.seen.startswith("a body of 4,160 KiB: ")
    assert len(sizes(session)) == 2


@pytest.mark.parametrize(
    ("limit", "status", "outcome"),
    [
        (6 * MIB, 413, Outcome.OK),
        (6 * MIB, 400, Outcome.WRONG),
        (6 * MIB, 504, Outcome.UNKNOWN),
        (None, 413, Outcome.SKIPPED),
        (2**30, 413, Outcome.SKIPPED),
    ],
)
async def test_one_byte_too_many(
    visit: Visit, gateway: Any, limit: int | None, status: int, outcome: Outcome
) -> None:
    session = visit(limited(gateway, 6 * MIB, Reply(status)), max_request_bytes=limit)
    assert (await ENDING.run(session)).outcome is outcome
    assert sizes(session) == ([] if outcome is Outcome.SKIPPED else [6 * MIB + 1])
