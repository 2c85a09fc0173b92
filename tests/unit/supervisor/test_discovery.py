from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

import pytest
from aiohttp import web

from extproc.envoyconf.files import CLUSTERS, LISTENERS, File, Files
from extproc.supervisor.discovery import Discovery, Rejected
from extproc.supervisor.envoy import EnvoyAdmin

HOSTS = "endpoints-agent.a.0f.json"
OTHER_HOSTS = "endpoints-agent.b.0f.json"
TRAVEL = "routes-travel.json"
EGRESS = "routes-outerloop.egress.json"
KEY = "secret-agent-a-key.json"
EVERYTHING = {CLUSTERS, LISTENERS, HOSTS, TRAVEL, EGRESS, KEY}
STATISTICS = {
    CLUSTERS: "cluster_manager.cds",
    LISTENERS: "listener_manager.lds",
    HOSTS: "cluster.agent/a",
    OTHER_HOSTS: "cluster.agent/b",
    TRAVEL: "http.agents.travel.rds.travel",
    EGRESS: "http.egress.rds.outerloop.egress",
}


class FakeEnvoy:
    """Takes what is in its folder whenever its statistics are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.refuses: set[str] = set()
        """Versions of files."""
        self.looks_away = False
        self.warming: list[int] = []
        """How many clusters do, at each question from now on."""
        self.refused: list[str] = []
        self.taken: dict[str, str] = {}
        self.steps: list[dict[str, str]] = []
        """What changed from one look to the next."""
        self.secrets: list[list[str]] = []
        """Those in the folder at each of those steps."""

    def look(self) -> None:
        new = {}
        for name in STATISTICS.keys() & {path.name for path in self.folder.iterdir()}:
            version = json.loads((self.folder / name).read_text())["version_info"]
            if version in self.refuses and version not in self.refused:
                self.refused.append(version)
            elif version not in self.refuses and self.taken.get(name) != version:
                new[name] = version
        if new:
            self.taken |= new
            self.steps.append(new)
            self.secrets.append(sorted(path.name for path in self.folder.glob("secret-*")))

    async def stats(self, request: web.Request) -> web.Response:
        if not self.looks_away:
            self.look()
        kind = request.query["type"]
        warming = self.warming.pop(0) if kind == "Gauges" and self.warming else 0
        values: dict[str, Mapping[str, object]] = {
            "TextReadouts": {f"{STATISTICS[n]}.version_text": v for n, v in self.taken.items()},
            "Gauges": {"cluster_manager.warming_clusters": warming},
            "Counters": {
                f"{scope}.update_rejected": sum(each.startswith(name) for each in self.refused)
                for name, scope in STATISTICS.items()
            },
        }
        stats = [{"name": name, "value": value} for name, value in values[kind].items()]
        return web.json_response({"stats": stats})


@pytest.fixture
async def envoy(tmp_path: Path) -> AsyncIterator[FakeEnvoy]:
    fake = FakeEnvoy(tmp_path / "envoy")
    app = web.Application()
    app.router.add_get("/stats", fake.stats)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "admin.sock")).start()
    yield fake
    await runner.cleanup()


@pytest.fixture
async def discovery(envoy: FakeEnvoy, tmp_path: Path) -> AsyncIterator[Discovery]:
    """One that has written generation 1, and an Envoy that has it in force."""
    admin = EnvoyAdmin(tmp_path / "admin.sock")
    made = Discovery(envoy.folder, admin)
    made.begin(files(1))
    envoy.look()
    envoy.steps.clear()
    envoy.secrets.clear()
    yield made
    await admin.close()


def file(name: str, generation: int) -> File:
    version = f"{name} {generation}"
    return File(version, json.dumps({"version_info": version}).encode())


def files(
    generation: int,
    routes: Iterable[str] = (TRAVEL, EGRESS),
    secrets: Iterable[str] = (KEY,),
    endpoints: Iterable[str] = (HOSTS,),
    **others: int,
) -> Files:
    """Files of a generation; `others` are from another one."""
    return Files(
        clusters=file(CLUSTERS, others.get("clusters", generation)),
        endpoints={each: file(each, others.get("endpoints", generation)) for each in endpoints},
        listeners=file(LISTENERS, others.get("listeners", generation)),
        routes={each: file(each, others.get("routes", generation)) for each in routes},
        secrets={each: file(each, others.get("secrets", generation)) for each in secrets},
    )


def contents(folder: Path) -> dict[str, str]:
    return {
        path.name: json.loads(path.read_text())["version_info"].rpartition(" ")[2]
        for path in folder.iterdir()
    }


@pytest.mark.usefixtures("discovery")
async def test_everything_is_there_before_envoy_starts_and_for_nobody_else(
    envoy: FakeEnvoy,
) -> None:
    assert contents(envoy.folder) == dict.fromkeys(EVERYTHING, "1")
    assert envoy.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in envoy.folder.iterdir()} == {0o600}


async def test_an_envoy_that_started_has_all_of_it(discovery: Discovery, envoy: FakeEnvoy) -> None:
    await discovery.confirm()
    assert envoy.taken.keys() == EVERYTHING - {KEY}


@pytest.mark.parametrize("refused", [CLUSTERS, HOSTS, TRAVEL, LISTENERS])
async def test_an_envoy_that_started_without_some_of_it_has_refused(
    envoy: FakeEnvoy, tmp_path: Path, refused: str
) -> None:
    admin = EnvoyAdmin(tmp_path / "admin.sock")
    discovery = Discovery(envoy.folder, admin)
    envoy.refuses = {f"{refused} 1"}
    discovery.begin(files(1))
    with pytest.raises(Rejected, match=f"Envoy refused .*{refused}"):
        await discovery.confirm()
    await admin.close()


async def test_no_route_comes_before_its_cluster_and_no_listener_before_its_routes(
    discovery: Discovery, envoy: FakeEnvoy
) -> None:
    await discovery.apply(files(2))
    assert [set(step) for step in envoy.steps] == [
        {CLUSTERS},
        {HOSTS},
        {TRAVEL, EGRESS},
        {LISTENERS},
    ]
    assert set(contents(envoy.folder).values()) == {"2"}


async def test_no_cluster_goes_before_its_routes_and_no_routes_before_their_listener(
    discovery: Discovery, envoy: FakeEnvoy
) -> None:
    await discovery.trim(files(2, routes=(EGRESS,), endpoints=()))
    assert [set(step) for step in envoy.steps] == [{LISTENERS}, {EGRESS}, {CLUSTERS}]
    assert contents(envoy.folder).keys() == {CLUSTERS, LISTENERS, EGRESS, KEY}


async def test_hosts_of_a_cluster_that_is_yet_to_come_are_there_before_it(
    discovery: Discovery, envoy: FakeEnvoy
) -> None:
    await discovery.apply(files(2, endpoints=(HOSTS, OTHER_HOSTS)))
    assert [set(step) for step in envoy.steps][:3] == [{OTHER_HOSTS}, {CLUSTERS}, {HOSTS}]


async def test_secrets_are_there_before_what_names_them(
    discovery: Discovery, envoy: FakeEnvoy
) -> None:
    other = "secret-agent-b-key.json"
    await discovery.apply(files(2, secrets=(KEY, other)))
    assert envoy.secrets[0] == [KEY, other]


async def test_routes_of_a_listener_that_is_yet_to_come_are_there_before_it(
    discovery: Discovery, envoy: FakeEnvoy
) -> None:
    await discovery.apply(files(2, routes=(TRAVEL, EGRESS, "routes-new.json")))
    assert contents(envoy.folder)["routes-new.json"] == "2"


async def test_what_is_the_same_is_not_written_again(
    discovery: Discovery, envoy: FakeEnvoy
) -> None:
    before = {path.name: path.stat().st_ino for path in envoy.folder.iterdir()}
    await discovery.apply(files(1, clusters=2))
    after = {path.name: path.stat().st_ino for path in envoy.folder.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {CLUSTERS}


async def test_it_waits_for_clusters_that_warm(discovery: Discovery, envoy: FakeEnvoy) -> None:
    envoy.warming = [2, 1]
    await discovery.apply(files(1, clusters=2))
    assert envoy.warming == []


async def test_hosts_that_are_not_resolved_do_not_keep_the_rest_back(
    discovery: Discovery,
    envoy: FakeEnvoy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("extproc.supervisor.discovery._WARM_WITHIN", 0.01)
    envoy.warming = [1] * 1000
    await discovery.apply(files(1, clusters=2))
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    assert CLUSTERS in caplog.text


async def test_files_of_what_is_gone_are_taken_away(discovery: Discovery, envoy: FakeEnvoy) -> None:
    await discovery.apply(files(2, routes=(EGRESS,), secrets=(), endpoints=()))
    assert contents(envoy.folder).keys() == {CLUSTERS, LISTENERS, EGRESS}
    await discovery.apply(files(2))
    assert contents(envoy.folder).keys() == EVERYTHING


@pytest.mark.parametrize("refused", [CLUSTERS, HOSTS, TRAVEL, LISTENERS])
async def test_what_was_in_force_is_so_again_after_a_refusal(
    discovery: Discovery, envoy: FakeEnvoy, refused: str
) -> None:
    envoy.refuses = {f"{refused} 2"}
    with pytest.raises(Rejected, match=f"Envoy refused .*{refused}"):
        await discovery.apply(files(2))
    assert set(contents(envoy.folder).values()) == {"1"}
    envoy.look()
    assert {version.rpartition(" ")[2] for version in envoy.taken.values()} == {"1"}


async def test_what_comes_after_a_refusal_is_no_refusal(
    discovery: Discovery, envoy: FakeEnvoy
) -> None:
    envoy.refuses = {f"{CLUSTERS} 2"}
    with pytest.raises(Rejected):
        await discovery.apply(files(2))
    await discovery.apply(files(3))
    assert set(contents(envoy.folder).values()) == {"3"}


async def test_a_refusal_says_which_file_and_never_what_is_in_it(
    discovery: Discovery, envoy: FakeEnvoy
) -> None:
    envoy.refuses = {f"{CLUSTERS} 2"}
    with pytest.raises(Rejected) as raised:
        await discovery.apply(files(2))
    assert str(raised.value) == f"Envoy refused {CLUSTERS}: its log says why"


async def test_more_files_than_envoy_can_watch_are_not_written(
    discovery: Discovery, envoy: FakeEnvoy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "limit"
    limit.write_text("6")
    monkeypatch.setattr("extproc.supervisor.inotify._LIMIT", limit)
    with pytest.raises(ValueError, match="watches 7 files"):
        await discovery.apply(files(2, endpoints=(HOSTS, OTHER_HOSTS)))
    assert set(contents(envoy.folder).values()) == {"1"}
    with pytest.raises(ValueError, match="watches 7 files"):
        discovery.begin(files(3, endpoints=(HOSTS, OTHER_HOSTS)))
    await discovery.apply(files(2))


async def test_an_envoy_that_takes_nothing_has_refused(
    discovery: Discovery, envoy: FakeEnvoy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extproc.supervisor.discovery._IN_FORCE_WITHIN", 0.01)
    envoy.looks_away = True
    with pytest.raises(Rejected, match=f"did not take {CLUSTERS} in time"):
        await discovery.apply(files(2))
    assert set(contents(envoy.folder).values()) == {"1"}


async def test_an_envoy_that_does_not_answer_is_an_os_error_and_starts_with_what_was(
    tmp_path: Path,
) -> None:
    admin = EnvoyAdmin(tmp_path / "nobody.sock")
    discovery = Discovery(tmp_path / "envoy", admin)
    discovery.begin(files(1))
    with pytest.raises(OSError, match="Envoy's admin"):
        await discovery.apply(files(2))
    assert set(contents(tmp_path / "envoy").values()) == {"1"}
    await admin.close()
