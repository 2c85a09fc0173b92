from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.doctor.probe import Outcome, Session
from extproc.doctor.probes.routing import RECHOSEN
from extproc.doctor.reply import Reply

Visit = Callable[..., Session]
TOLD = (("x-outerloop-agent", "flights"),)


async def test_two_agents_answer(visit: Visit, gateway: Any) -> None:
    session = visit(gateway, agents=("weather", "flights", "hotels"))
    finding = await RECHOSEN.run(session)
    assert (finding.outcome, finding.seen) == (
        Outcome.OK,
        "model weather: 200, model flights: 200",
    )
    assert session.prompts.sent == 2


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(503, (("x-outerloop-error", "no_route"), *TOLD), b"{}"), Outcome.WRONG),
        (Reply(404, TOLD), Outcome.WRONG),
        (Reply(503), Outcome.WRONG),
        (Reply(503, (("x-outerloop-error", "upstream_unreachable"),)), Outcome.OK),
        (Reply(403, (("x-outerloop-error", "filter_denied"),)), Outcome.UNKNOWN),
        (Reply(404, TOLD, b"no such model"), Outcome.UNKNOWN),
        (Reply(200, body=b"hello"), Outcome.UNKNOWN),
        (Reply(200, TOLD, b'{"by": "weather"}'), Outcome.UNKNOWN),
        (Reply(200, (("x-outerloop-agent", "weather"),), b"by rule"), Outcome.OK),
    ],
)
async def test_what_the_second_may_answer(
    visit: Visit, gateway: Any, reply: Reply, outcome: Outcome
) -> None:
    def answer(asked: Any) -> Reply:
        return reply if asked.document.get("model") == "flights" else gateway(asked)

    assert (await RECHOSEN.run(visit(answer))).outcome is outcome


async def test_a_fault_weighs_more_than_what_is_not_known(visit: Visit) -> None:
    def answer(asked: Any) -> Reply:
        return Reply(200 if asked.document.get("model") == "weather" else 503)

    finding = await RECHOSEN.run(visit(answer))
    assert (finding.outcome, finding.seen) == (
        Outcome.WRONG,
        "model flights: 503 that is none of ours",
    )
