from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from extproc.address import SocketAddress
from extproc.doctor import http2
from extproc.doctor.client import NoReply
from extproc.doctor.examination import OF_ENVOY, PROBES, Result, examine
from extproc.doctor.expected import Expected
from extproc.doctor.probe import Outcome, Session
from extproc.doctor.reply import Reply

Visit = Callable[..., Session]


@pytest.fixture(autouse=True)
def no_http2(monkeypatch: pytest.MonkeyPatch) -> None:
    async def post(*_: Any) -> bytes:
        raise http2.NotSpoken("no HTTP/2")

    monkeypatch.setattr(http2, "post_with_trailers", post)


async def run(
    session: Session, expected: Expected | None = None, admin: SocketAddress | None = None
) -> dict[str, Result]:
    expected = expected or Expected()
    results = [each async for each in examine(session.client, session.prompts, expected, admin)]
    names = [each.name for each in results]
    assert len(set(names)) == len(names)
    return dict(zip(names, results, strict=True))


def outcomes(results: dict[str, Result]) -> dict[Outcome, set[str]]:
    return {
        outcome: {name for name, each in results.items() if each.outcome is outcome}
        for outcome in Outcome
    }


async def test_a_gateway_that_is_as_it_should_be(visit: Visit, gateway: Any) -> None:
    found = outcomes(await run(visit(gateway)))
    assert found[Outcome.WRONG] == set()
    assert found[Outcome.SKIPPED] == {"body-over-limit"}
    assert found[Outcome.UNKNOWN] == {"trailers", "timeout", "request-id", "streaming"}


async def test_nobody_is_there(visit: Visit, gateway: Any) -> None:
    def answer(_asked: Any) -> Reply:
        raise NoReply("no connection")

    session = visit(gateway)
    client: Any = session.client
    client._answer = answer
    [result] = (await run(session)).values()
    assert (result.name, result.outcome, result.seen) == (
        "reachable",
        Outcome.WRONG,
        "no connection",
    )
    assert result.fix is not None


async def test_without_the_processor_little_is_asked(visit: Visit) -> None:
    session = visit(lambda _: Reply(404))
    results = await run(session)
    found = outcomes(results)
    assert found[Outcome.WRONG] == {"processor"}
    assert results["processor"].fix is not None
    assert results["routing"].seen == "processor must be ok first"
    assert results["routing"].fix is None
    assert found[Outcome.OK] == {"reachable", "admin"}
    assert session.prompts.sent == 0


async def test_no_answer_in_between_proves_nothing(visit: Visit, gateway: Any) -> None:
    def answer(asked: Any) -> Reply:
        if asked.path == "/healthz":
            raise NoReply("the connection was closed")
        return gateway(asked)  # type: ignore[no-any-return] # a fixture's

    results = await run(visit(answer))
    assert results["health"].outcome is Outcome.UNKNOWN


async def test_of_what_only_observes_less_is_asked(visit: Visit, gateway: Any) -> None:
    expected = Expected(agents=("weather", "flights"), observes=True)
    results = await run(visit(gateway), expected)
    found = outcomes(results)
    assert found[Outcome.WRONG] == set()
    assert {"errors", "routing", "body-limit", "trailers"} <= found[Outcome.SKIPPED]
    assert {"processor", "headers-stripped", "response-headers"} <= found[Outcome.OK]


async def test_an_admin_that_cannot_be_read(visit: Visit, gateway: Any) -> None:
    results = await run(visit(gateway), admin=SocketAddress("127.0.0.1", 1))
    assert results["envoy-admin"].outcome is Outcome.WRONG
    assert not any(probe.name in results for probe in OF_ENVOY)


@pytest.mark.parametrize(
    ("dump", "wrong"),
    [
        ({"configs": []}, "envoy-ext-proc"),
        ({"configs": [{"@type": "x/ListenersConfigDump", "static_listeners": 7}]}, "envoy-admin"),
    ],
)
async def test_an_admin_that_is_read(visit: Visit, gateway: Any, dump: Any, wrong: str) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(dump)

    app = web.Application()
    app.router.add_get("/config_dump", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    results = await run(visit(gateway), admin=SocketAddress(*runner.addresses[0]))
    await runner.cleanup()
    assert outcomes(results)[Outcome.WRONG] == {wrong}


def test_what_a_probe_needs_stands_before_it() -> None:
    seen = {"reachable"}
    for probe in (*PROBES, *OF_ENVOY):
        assert seen.issuperset(probe.needs), probe.name
        assert probe.name not in seen
        seen.add(probe.name)
