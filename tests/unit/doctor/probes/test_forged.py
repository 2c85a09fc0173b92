from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.doctor.probe import Outcome, Session
from extproc.doctor.probes.forged import BY_CLIENTS, STRIPPED
from extproc.doctor.reply import Reply

Visit = Callable[..., Session]


def echoing(gateway: Any, header: str) -> Callable[[Any], Reply]:
    """Answer with a header of the request, as a gateway that takes it for its own."""

    def answer(asked: Any) -> Reply:
        reply: Reply = gateway(asked)
        value = next((value for name, value in asked.headers if name.lower() == header), None)
        if value is None:
            return reply
        told = (("x-outerloop-agent", value), *reply.headers)
        return Reply(reply.status, told, reply.body)

    return answer


async def test_forged_headers_without_effect(visit: Visit, gateway: Any) -> None:
    session = visit(gateway)
    finding = await STRIPPED.run(session)
    assert (finding.outcome, finding.seen) == (Outcome.OK, "no forged header has an effect")
    client: Any = session.client
    assert session.prompts.sent == 0
    forged = {name.lower() for asked in client.asked for name, _ in asked.headers}
    assert {"x-outerloop-listener", "x-outerloop-target", "x_outerloop_agent"} < forged


@pytest.mark.parametrize(
    ("header", "reply", "told"),
    [
        ("x-outerloop-listener", Reply(404), "x-outerloop-listener counts"),
        (
            "x-outerloop-listener",
            Reply(500, (("x-outerloop-error", "internal_error"),)),
            "x-outerloop-listener counts",
        ),
        ("x-outerloop-target", Reply(503), "x-outerloop-target gets past the decision"),
    ],
)
async def test_a_forged_header_that_counts(
    visit: Visit, gateway: Any, header: str, reply: Reply, told: str
) -> None:
    def answer(asked: Any) -> Reply:
        return reply if asked.header(header) is not None else gateway(asked)

    finding = await STRIPPED.run(visit(answer))
    assert finding.outcome is Outcome.WRONG
    assert told in finding.seen


@pytest.mark.parametrize("header", ["x-outerloop-agent", "x-outerloop-plan", "x_outerloop_agent"])
async def test_a_forged_header_that_comes_back(visit: Visit, gateway: Any, header: str) -> None:
    finding = await STRIPPED.run(visit(echoing(gateway, header)))
    assert finding.outcome is Outcome.WRONG
    assert "comes back as ours" in finding.seen


async def test_gateways_may_refuse_underscores(visit: Visit, gateway: Any) -> None:
    def answer(asked: Any) -> Reply:
        return Reply(400) if asked.header("X_Outerloop_Agent") is not None else gateway(asked)

    finding = await STRIPPED.run(visit(answer))
    assert finding.outcome is Outcome.OK
    assert "with underscores: 400 that is none of ours" in finding.seen


async def test_what_only_observes_refuses_nothing_else(visit: Visit, gateway: Any) -> None:
    session = visit(gateway, observes=True)
    assert (await STRIPPED.run(session)).outcome is Outcome.OK
    assert session.client.sent == 1


async def test_an_agent_in_a_header_is_not_chosen(visit: Visit, gateway: Any) -> None:
    session = visit(gateway)
    finding = await BY_CLIENTS.run(session)
    assert finding.outcome is Outcome.OK
    assert finding.seen == "model weather with x-outerloop-agent: flights went to weather"
    assert session.prompts.sent == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_route_past_the_processor(visit: Visit, gateway: Any, method: str) -> None:
    def answer(asked: Any) -> Reply:
        named = asked.header("x-outerloop-agent")
        return Reply(200) if named and asked.method == method else gateway(asked)

    session = visit(answer)
    finding = await BY_CLIENTS.run(session)
    assert finding.outcome is Outcome.WRONG
    assert finding.seen.startswith(f"{method} /v1/chat/completions with x-outerloop-agent: flights")
    assert session.prompts.sent == 0


@pytest.mark.parametrize("told", [{"agent": "flights"}, None])
async def test_a_header_that_wins_over_the_model(
    visit: Visit, gateway: Any, make_decided: Callable[..., Reply], told: dict[str, str] | None
) -> None:
    forged = make_decided(**told) if told else Reply(200)

    def answer(asked: Any) -> Reply:
        if asked.document and asked.header("x-outerloop-agent"):
            return forged
        reply: Reply = gateway(asked)
        return reply

    finding = await BY_CLIENTS.run(visit(answer))
    assert finding.outcome is Outcome.WRONG


async def test_where_nothing_is_told_less_is_known(visit: Visit, gateway: Any) -> None:
    def answer(asked: Any) -> Reply:
        return Reply(200) if asked.document else gateway(asked)

    assert (await BY_CLIENTS.run(visit(answer))).outcome is Outcome.UNKNOWN


async def test_one_agent_alone(visit: Visit, gateway: Any) -> None:
    session = visit(gateway, agents=("weather",))
    assert (await BY_CLIENTS.run(session)).outcome is Outcome.OK
    assert session.prompts.sent == 0
