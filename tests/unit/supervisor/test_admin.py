from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from extproc.address import SocketAddress
from extproc.config.load import load, loads
from extproc.supervisor.admin import AdminServer
from extproc.supervisor.child import Status
from extproc.supervisor.envoy import EnvoyAdmin
from extproc.supervisor.errors import StartError
from extproc.supervisor.reload import Reloads
from extproc.supervisor.stack import Stack

ANY_PORT = SocketAddress("127.0.0.1", 0)
KEYED = """
version: v1
agents: [{id: a, url: "http://127.0.0.1:1", access_key: very-secret}]
listeners: [{type: agent, name: l, port: 0, agents: [{id: a}]}]
"""


def admin_of(stack: Stack) -> AdminServer:
    return AdminServer(stack, Reloads(load(stack.snapshot.path, {}).config))


@pytest.fixture
async def served(make_stack: Callable[..., Stack]) -> AsyncIterator[tuple[Stack, SocketAddress]]:
    stack = make_stack()
    server = admin_of(stack)
    yield stack, await server.start(ANY_PORT)
    await server.close()


async def get(address: SocketAddress, path: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}{path}") as response,
    ):
        return response.status, await response.json()


async def test_it_lives_whatever_the_stack_does(served: tuple[Stack, SocketAddress]) -> None:
    _, address = served
    assert await get(address, "/healthz") == (200, {"status": "ok"})


async def test_readiness_follows_the_stack(
    served: tuple[Stack, SocketAddress], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, address = served
    assert await get(address, "/readyz") == (
        503,
        {
            "status": "starting",
            "generation": 1,
            "workers": [{"pid": None, "status": "down"}],
            "envoy": None,
        },
    )
    monkeypatch.setattr(type(stack.workers[0]), "status", Status.READY)
    status, body = await get(address, "/readyz")
    assert (status, body["status"]) == (200, "ready")
    stack.draining = True
    status, body = await get(address, "/readyz")
    assert (status, body["status"]) == (503, "draining")


async def ask_as(address: SocketAddress, path: str, host: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}{path}", headers={"host": host}) as response,
    ):
        return response.status


@pytest.mark.parametrize("path", ["/", "/healthz", "/decisions", "/config", "/nothing"])
async def test_a_page_that_rebinds_its_name_is_told_nothing(
    served: tuple[Stack, SocketAddress], path: str
) -> None:
    _, address = served
    assert await ask_as(address, path, f"rebound.example:{address.port}") == 421
    assert await ask_as(address, path, f"localhost:{address.port}") != 421


async def test_where_others_reach_it_they_may_call_it_as_they_do(
    make_stack: Callable[..., Stack], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = web.TCPSite
    # As told, but for this test's network.
    monkeypatch.setattr(web, "TCPSite", lambda runner, _, port: real(runner, "127.0.0.1", port))
    server = admin_of(make_stack())
    bound = await server.start(SocketAddress("0.0.0.0", 0))
    address = SocketAddress("127.0.0.1", bound.port)
    assert await ask_as(address, "/healthz", "outerloop.agents.svc:9902") == 200
    await server.close()


async def test_a_taken_address_is_a_start_error(
    served: tuple[Stack, SocketAddress], make_stack: Callable[..., Stack]
) -> None:
    _, address = served
    with pytest.raises(StartError, match=rf"{address.port} \(admin\)"):
        await admin_of(make_stack()).start(address)


@pytest.mark.parametrize("captures", [False, True])
async def test_decisions_are_cases_where_prompts_are_kept(
    make_stack: Callable[..., Stack], captures: bool
) -> None:
    stack = make_stack()
    more = f"observability: {{capture_prompts: {str(captures).lower()}}}\n"
    config = loads(stack.snapshot.path.read_text() + more, "f", {}, Path()).config
    server = AdminServer(stack, Reloads(config))
    address = await server.start(ANY_PORT)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}/decisions?format=cases") as response,
    ):
        assert response.status == (200 if captures else 404)
        kind = "application/x-ndjson" if captures else "application/json"
        assert response.content_type == kind
    assert (await get(address, "/decisions?format=xml"))[0] == 400
    await server.close()


async def test_metrics_and_decisions_of_all_workers(served: tuple[Stack, SocketAddress]) -> None:
    _, address = served
    assert await get(address, "/decisions") == (200, [])
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}/metrics") as response,
    ):
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/plain")


@pytest.fixture
async def with_envoy(
    make_stack: Callable[..., Stack], envoy_stats: dict[str, Any], tmp_path: Path
) -> AsyncIterator[tuple[web.AppRunner, SocketAddress]]:
    """An admin beside an Envoy, and what runs that Envoy's admin."""

    async def stats(_request: web.Request) -> web.Response:
        return web.json_response(envoy_stats)

    app = web.Application()
    app.router.add_get("/stats", stats)
    envoy = web.AppRunner(app)
    await envoy.setup()
    await web.UnixSite(envoy, str(tmp_path / "envoy.sock")).start()
    envoy_admin = EnvoyAdmin(tmp_path / "envoy.sock")
    server = admin_of(make_stack(admin=envoy_admin))
    yield envoy, await server.start(ANY_PORT)
    await server.close()
    await envoy_admin.close()
    await envoy.cleanup()


async def metrics(address: SocketAddress) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}/metrics") as response,
    ):
        assert response.status == 200
        return await response.text()


async def test_envoys_figures_as_long_as_it_answers(
    with_envoy: tuple[web.AppRunner, SocketAddress],
) -> None:
    envoy, address = with_envoy
    assert 'agent="hotel_agent",status_class="2xx",variant="canary"} 3.0' in await metrics(address)
    status, rows = await get(address, "/variants")
    assert status == 200
    assert [(row["agent"], row["variant"], row["requests"], row["errors"]) for row in rows] == [
        ("dead", None, 2, 2),
        ("hotel_agent", "canary", 5, 1),
        ("hotel_agent", "stable", 0, 0),
    ]
    assert set(rows[0]) == {
        *("agent", "variant", "requests", "errors"),
        *("error_rate", "error_rate_low", "error_rate_high", "p50_ms", "p95_ms"),
    }
    await envoy.cleanup()
    assert "outerloop_agent_" not in await metrics(address)
    status, answer = await get(address, "/variants")
    assert status == 503
    assert "Envoy" in answer["error"]


async def test_beside_a_gateway_there_are_no_figures(served: tuple[Stack, SocketAddress]) -> None:
    _, address = served
    assert "outerloop_agent_" not in await metrics(address)
    status, answer = await get(address, "/variants")
    assert status == 404
    assert "Envoy is not ours" in answer["error"]


class TestReloads:
    """What a stack says of the configuration that it runs."""

    @pytest.fixture
    async def began(
        self, make_stack: Callable[..., Stack]
    ) -> AsyncIterator[tuple[Reloads, SocketAddress]]:
        reloads = Reloads(loads(KEYED, "outerloop.yaml").config)
        server = AdminServer(make_stack(), reloads)
        yield reloads, await server.start(ANY_PORT)
        await server.close()

    async def test_the_configuration_in_force_is_shown_without_secrets(
        self, began: tuple[Reloads, SocketAddress]
    ) -> None:
        _, address = began
        status, shown = await get(address, "/config")
        assert status == 200
        assert (shown["generation"], shown["last_reload"]) == (1, None)
        assert shown["config"]["agents"][0]["url"] == "http://127.0.0.1:1"
        assert "very-secret" not in str(shown)

    async def test_what_was_applied_is_shown_from_then_on(
        self, began: tuple[Reloads, SocketAddress]
    ) -> None:
        reloads, address = began
        reloads.config = loads(KEYED.replace("id: a", "id: b"), "outerloop.yaml").config
        reloads.generation = 2
        reloads.end("applied")
        _, shown = await get(address, "/config")
        assert (shown["generation"], shown["config"]["agents"][0]["id"]) == (2, "b")
        assert (shown["last_reload"]["outcome"], shown["last_reload"]["errors"]) == ("applied", [])
        _, readiness = await get(address, "/readyz")
        assert readiness["generation"] == 2

    async def test_why_a_file_was_rejected_is_shown_beside_what_stays_in_force(
        self, began: tuple[Reloads, SocketAddress]
    ) -> None:
        reloads, address = began
        reloads.end("rejected", ("outerloop.yaml:3:1: agents: must not be empty",))
        _, shown = await get(address, "/config")
        last = shown["last_reload"]
        assert (shown["generation"], last["outcome"]) == (1, "rejected")
        assert last["errors"] == ["outerloop.yaml:3:1: agents: must not be empty"]
        assert datetime.fromisoformat(last["time"]).tzinfo is not None

    async def test_they_are_counted_by_their_outcome(
        self, began: tuple[Reloads, SocketAddress]
    ) -> None:
        reloads, address = began
        for outcome in ("applied", "rejected", "applied"):
            reloads.end(outcome)
        lines = (await metrics(address)).splitlines()
        assert 'outerloop_config_reloads_total{outcome="applied"} 2.0' in lines
        assert 'outerloop_config_reloads_total{outcome="rejected"} 1.0' in lines


class TestSeeing:
    """The status page, and what it asks for."""

    async def test_the_page(self, served: tuple[Stack, SocketAddress]) -> None:
        _, address = served
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{address}/") as response,
        ):
            assert (response.status, response.content_type) == (200, "text/html")
            assert "<h1>Outerloop</h1>" in await response.text()

    async def test_the_status_with_and_without_envoys_figures(
        self, with_envoy: tuple[web.AppRunner, SocketAddress]
    ) -> None:
        envoy, address = with_envoy
        status, shown = await get(address, "/status")
        assert (status, shown["status"], shown["generation"]) == (200, "starting", 1)
        assert [agent["id"] for agent in shown["agents"]] == ["a"]
        await envoy.cleanup()
        status, shown = await get(address, "/status")
        assert (status, shown["agents"][0]["requests"]) == (200, None)
        assert shown["listeners"][0]["url"] is None

    async def test_no_more_decisions_than_are_wanted(
        self, served: tuple[Stack, SocketAddress], fake_worker: Callable[[Path], Any]
    ) -> None:
        stack, address = served
        worker = await fake_worker(stack.settings.controls[0])
        decided = [{"time": time, "filters": [], "exchange": ""} for time in "321"]
        worker.decided = {"decisions": decided, "answers": {}}
        _, found = await get(address, "/decisions?limit=2")
        assert [each["time"] for each in found] == ["3", "2"]
        for wrong in ("", "-1", "x", "1" * 5000):
            status, answer = await get(address, f"/decisions?limit={wrong}")
            assert (status, answer) == (400, {"error": "limit must be a number"})

    async def test_a_text_is_decided_by_a_worker_that_serves(
        self,
        served: tuple[Stack, SocketAddress],
        fake_worker: Callable[[Path], Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        stack, address = served
        asked = {"text": "rain?"}
        assert await post(address, asked) == (503, {"error": "no worker serves"})
        monkeypatch.setattr(type(stack.workers[0]), "status", Status.READY)
        worker = await fake_worker(stack.settings.controls[0])
        assert await post(address, asked) == (200, {"plan": ["a"]})
        assert worker.tried == [{"text": "rain?", "listener": "l"}]
        worker.refuses = "no agent fits this conversation"
        assert await post(address, asked) == (422, {"error": worker.refuses})
        status, answer = await post(address, {"text": "rain?", "listener": "nobody"})
        assert (status, answer) == (400, {"error": "listener: one of l"})


async def post(address: SocketAddress, body: Any) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{address}/route", json=body) as response,
    ):
        return response.status, await response.json()
