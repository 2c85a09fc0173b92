from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.doctor import fixes
from extproc.doctor.fixes import Fix
from extproc.doctor.probe import Outcome, Session
from extproc.doctor.probes.asked import ASKED, SHAPE
from extproc.doctor.reply import Reply

Visit = Callable[..., Session]
ERROR = b'{"error": {"code": "invalid_request"}}'
OURS = (("x-outerloop-error", "invalid_request"), ("content-type", "application/json"))


async def test_only_the_processor_lists_agents_and_refuses_as_it_does(
    visit: Visit, gateway: Any
) -> None:
    finding = await ASKED.run(visit(gateway))
    assert (finding.outcome, finding.seen) == (
        Outcome.OK,
        "it lists 2 agents, and refuses broken JSON",
    )


@pytest.mark.parametrize(
    ("reply", "fix"),
    [
        (Reply(404), None),
        (Reply(200, body=b'{"data": [{"id": "gpt-4o"}]}'), None),
        (Reply(301, (("location", "https://x/"),)), None),
        (Reply(401), fixes.CREDENTIALS),
        (Reply(500), fixes.ANSWERING),
        (Reply(503), fixes.UNANSWERED),
        (Reply(504), fixes.PATIENCE),
    ],
)
async def test_what_else_may_answer_a_listing(visit: Visit, reply: Reply, fix: Fix | None) -> None:
    finding = await ASKED.run(visit(lambda _: reply))
    assert (finding.outcome, finding.fix) == (Outcome.WRONG, fix)
    assert finding.seen.startswith(f"GET /v1/models: {reply}")


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        ("processor_unavailable", fixes.ANSWERING),
        ("decision_timeout", fixes.PATIENCE),
        ("internal_error", fixes.PHASES),
        ("no_route", fixes.ATTACHED),
    ],
)
async def test_our_own_errors_say_what_is_wrong(
    visit: Visit, gateway: Any, make_refusal: Callable[..., Reply], code: str, fix: Fix
) -> None:
    def answer(asked: Any) -> Reply:
        return gateway(asked) if asked.method == "GET" else make_refusal(503, code)

    finding = await ASKED.run(visit(answer))
    assert (finding.outcome, finding.fix) == (Outcome.WRONG, fix)
    assert code in finding.seen


async def test_an_upstream_that_takes_anything(visit: Visit, gateway: Any) -> None:
    finding = await ASKED.run(visit(lambda a: gateway(a) if a.method == "GET" else Reply(200)))
    assert finding.outcome is Outcome.WRONG


@pytest.mark.parametrize(
    ("level", "told", "outcome"),
    [
        ("basic", True, Outcome.OK),
        ("basic", False, Outcome.WRONG),
        ("none", False, Outcome.UNKNOWN),
    ],
)
async def test_what_only_observes_is_seen_by_its_decision(
    visit: Visit, gateway: Any, level: str, told: bool, outcome: Outcome
) -> None:
    def answer(asked: Any) -> Reply:
        return gateway(asked) if told else Reply(200)

    session = visit(answer, observes=True, response_headers=level)
    assert (await ASKED.run(session)).outcome is outcome


async def test_errors_have_the_shape_of_their_api(visit: Visit, gateway: Any) -> None:
    assert (await SHAPE.run(visit(gateway))).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("path", "reply", "lost"),
    [
        ("chat", Reply(400, OURS[1:], ERROR), "x-outerloop-error"),
        ("chat", Reply(400, OURS[:1], ERROR), "content-type"),
        ("chat", Reply(400, OURS, b'"{\\"error\\": ...}"'), "its JSON"),
        ("messages", Reply(400), "x-outerloop-error, content-type, its JSON"),
        ("messages", Reply(400, OURS, ERROR), "error of another API"),
    ],
)
async def test_what_errors_may_lose(
    visit: Visit, gateway: Any, path: str, reply: Reply, lost: str
) -> None:
    def answer(asked: Any) -> Reply:
        return reply if path in asked.path else gateway(asked)

    finding = await SHAPE.run(visit(answer))
    assert finding.outcome is Outcome.WRONG
    assert finding.seen.endswith(lost)
