from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from extproc.address import SocketAddress
from extproc.supervisor.envoy import EnvoyAdmin, command, find_binary
from extproc.supervisor.errors import StartError


class FakeAdmin:
    """Answers as Envoy's admin does."""

    def __init__(self) -> None:
        self.live = False
        self.stats: list[dict[str, Any]] = []
        self.posted: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            self.posted.append(request.path_qs)
            return web.Response(text="OK")
        if request.path == "/ready":
            return web.Response(status=200 if self.live else 503)
        if request.path == "/stats":
            return web.json_response({"stats": self.stats})
        statuses = [
            {
                "name": "travel",
                "local_address": {"socket_address": {"address": "127.0.0.1", "port_value": 81}},
            },
            {"name": "egress", "local_address": {"pipe": {"path": "/x"}}},
        ]
        return web.json_response({"listener_statuses": statuses})


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[tuple[FakeAdmin, EnvoyAdmin]]:
    fake = FakeAdmin()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "admin.sock")).start()
    admin = EnvoyAdmin(tmp_path / "admin.sock")
    yield fake, admin
    await admin.close()
    await runner.cleanup()


def test_the_binary_is_looked_for_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(StartError, match="no envoy binary"):
        find_binary()
    for folder in (tmp_path, tmp_path / "bin"):
        folder.mkdir(exist_ok=True)
        (folder / "envoy").touch(mode=0o755)
        assert find_binary() == str(folder / "envoy")


def test_the_command_line_names_bootstrap_and_level() -> None:
    argv = command("/bin/envoy", Path("/x.yaml"), "warn")
    assert argv[:5] == ("/bin/envoy", "--config-path", "/x.yaml", "--log-level", "warn")


async def test_ready_means_live_with_healthy_workers(fake: tuple[FakeAdmin, EnvoyAdmin]) -> None:
    envoy, admin = fake
    waiting = asyncio.ensure_future(admin.wait_ready(2))
    for live, healthy in ((True, 0), (False, 2), (True, 1)):
        envoy.live = live
        envoy.stats = [{"name": "cluster.processor.membership_healthy", "value": healthy}]
        await asyncio.sleep(0.2)
        assert not waiting.done()
    envoy.stats = [{"name": "cluster.processor.membership_healthy", "value": 2}]
    await asyncio.wait_for(waiting, 10)


async def test_addresses_of_listeners_with_a_port(fake: tuple[FakeAdmin, EnvoyAdmin]) -> None:
    assert await fake[1].listener_addresses() == {"travel": SocketAddress("127.0.0.1", 81)}


async def test_running_requests_are_summed(fake: tuple[FakeAdmin, EnvoyAdmin]) -> None:
    envoy, admin = fake
    envoy.stats = [
        {"name": "http.agents.a.downstream_rq_active", "value": 2},
        {"name": "http.agents.b.downstream_rq_active", "value": 3},
        {"histograms": {}},
    ]
    assert await admin.active_requests() == 5


async def test_refusing_connections_also_turns_the_health_check(
    fake: tuple[FakeAdmin, EnvoyAdmin],
) -> None:
    envoy, admin = fake
    await admin.refuse_connections()
    assert envoy.posted == ["/healthcheck/fail", "/drain_listeners?inboundonly"]


async def test_an_envoy_that_is_gone_is_an_os_error(tmp_path: Path) -> None:
    admin = EnvoyAdmin(tmp_path / "nobody.sock")
    assert not await admin.is_live()
    with pytest.raises(OSError, match="Envoy's admin"):
        await admin.active_requests()
    await admin.close()
