from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from extproc.address import SocketAddress
from extproc.supervisor.envoy import EnvoyAdmin, command, find_binary
from extproc.supervisor.errors import StartError
from extproc.supervisor.statistics import read


class FakeAdmin:
    """Answers as Envoy's admin does."""

    def __init__(self) -> None:
        self.live = False
        self.stats: list[dict[str, Any]] = []
        self.posted: list[str] = []
        self.asked: list[Mapping[str, str]] = []

    async def handle(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            self.posted.append(request.path_qs)
            return web.Response(text="OK")
        if request.path == "/ready":
            return web.Response(status=200 if self.live else 503)
        if request.path == "/stats":
            self.asked.append(request.query)
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
    argv = command("/bin/envoy", Path("/x.yaml"), "warn", 30.0)
    assert argv[:5] == ("/bin/envoy", "--config-path", "/x.yaml", "--log-level", "warn")


@pytest.mark.parametrize(("seconds", "told"), [(30.0, "30"), (0.2, "1")])
def test_envoys_own_drains_take_as_long_as_the_stacks(seconds: float, told: str) -> None:
    argv = command("/bin/envoy", Path("/x.yaml"), "warn", seconds)
    assert argv[argv.index("--drain-time-s") + 1] == told


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


async def test_agents_figures_take_one_question(
    fake: tuple[FakeAdmin, EnvoyAdmin], envoy_stats: dict[str, Any]
) -> None:
    envoy, admin = fake
    envoy.stats = envoy_stats["stats"]
    assert await admin.figures() == read(envoy_stats)
    [asked] = envoy.asked
    assert asked["filter"].startswith(r"^(?:cluster\.agent/([A-Za-z0-9_-]+)")
    assert asked["filter"].endswith("$")


def text(name: str, version: str) -> dict[str, Any]:
    return {"name": f"{name}.version_text", "value": version}


async def test_files_are_in_force_when_envoy_tells_their_versions(
    fake: tuple[FakeAdmin, EnvoyAdmin],
) -> None:
    envoy, admin = fake
    names = {
        "clusters.json": "cluster_manager.cds",
        "listeners.json": "listener_manager.lds",
        "endpoints-agent.a.0f.json": "cluster.agent/a",
        "routes-travel.json": "http.agents.travel.rds.travel",
        "routes-outerloop.egress.json": "http.egress.rds.outerloop.egress",
    }
    versions = {file: f"{number}" for number, file in enumerate(names)}
    envoy.stats = [text(names[file], versions[file]) for file in names]
    assert await admin.in_force(versions)
    for index, file in enumerate(names):
        old = text(names[file], "old")
        envoy.stats[index], kept = old, envoy.stats[index]
        assert not await admin.in_force(versions)
        assert await admin.in_force({other: versions[other] for other in names if other != file})
        envoy.stats[index] = kept
    envoy.stats = []
    assert not await admin.in_force(versions)


async def test_clusters_and_listeners_warm(fake: tuple[FakeAdmin, EnvoyAdmin]) -> None:
    envoy, admin = fake
    names = ("cluster_manager.warming_clusters", "listener_manager.total_listeners_warming")
    for warming in ((0, 0), (1, 0), (0, 1)):
        stats = zip(names, warming, strict=True)
        envoy.stats = [{"name": name, "value": value} for name, value in stats]
        assert await admin.is_warming() == any(warming)
    assert all(re.search(envoy.asked[-1]["filter"], name) for name in names)


async def test_what_envoy_could_not_use_is_counted(fake: tuple[FakeAdmin, EnvoyAdmin]) -> None:
    envoy, admin = fake
    counters = {
        "clusters.json": "cluster_manager.cds.update_rejected",
        "listeners.json": "listener_manager.lds.update_failure",
        "endpoints-agent.a.0f.json": "cluster.agent/a.update_rejected",
        "routes-travel.json": "http.agents.travel.rds.travel.update_rejected",
        "routes-outerloop.egress.json": "http.egress.rds.outerloop.egress.update_failure",
    }
    envoy.stats = [{"name": name, "value": 2} for name in counters.values()]
    assert await admin.refused_updates(counters) == 2 * len(counters)
    for name in counters:
        assert await admin.refused_updates([name]) == 2
    pattern = envoy.asked[-1]["filter"]
    assert all(re.search(pattern, name) for name in counters.values())
    assert not re.search(pattern, "cluster_manager.cds.update_success")


async def test_what_has_nothing_to_do_with_a_file_is_no_refusal_of_it(
    fake: tuple[FakeAdmin, EnvoyAdmin],
) -> None:
    """Envoy counts a name that it cannot resolve as an update that failed."""
    envoy, admin = fake
    envoy.stats = [{"name": "cluster.agent/named.update_failure", "value": 7}]
    assert await admin.refused_updates(["clusters.json", "endpoints-agent.a.0f.json"]) == 0


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
