from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from extproc.address import PipeAddress
from extproc.config.model.root import Config
from extproc.envoyconf.build import Places, build
from extproc.envoyconf.files import EGRESS, File, Files, Folder
from extproc.envoyconf.secrets import Secret, Text
from extproc.envoyconf.topology import Topology
from extproc.supervisor.discovery import Discovery, Rejected
from extproc.supervisor.envoy import EnvoyAdmin
from extproc.supervisor.gateway import Gateway

PLACES = Places(
    (PipeAddress("/run/w.sock"),),
    PipeAddress("/run/envoy.sock"),
    PipeAddress("/run/egress.sock"),
    Folder("/run/envoy", dynamic=True),
)
TRAVEL = "travel"


def render(topology: Topology, secrets: Mapping[str, Secret]) -> Files:
    """Write down what is there, in words."""
    assert topology.egress is not None
    routes = {
        listener.name: _file(f"agent/{each.agent}" for each in listener.routes)
        for listener in topology.listeners
    }
    return Files(
        clusters=_file(each.name for each in topology.clusters),
        endpoints={},
        listeners=_file(each.name for each in topology.listeners),
        routes=routes | {EGRESS: _file(each.target for each in topology.egress.routes)},
        secrets={name: _file((_text(secret),)) for name, secret in secrets.items()},
    )


def _text(secret: Secret) -> str:
    assert isinstance(secret, Text)
    return secret.value


def _file(words: Iterable[str]) -> File:
    return File("", " ".join(words).encode())


class FakeDiscovery(Discovery):
    """Keeps what is to be in force; `error` is what comes of the next files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, EnvoyAdmin(folder / "nobody.sock"))
        self.begun: Files | None = None
        self.applied: list[Files] = []
        self.error: Exception | None = None

    def begin(self, files: Files) -> None:
        self.begun = files

    async def trim(self, files: Files) -> None:
        await self.apply(files)

    async def apply(self, files: Files) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.applied.append(files)


@pytest.fixture
async def discovery(tmp_path: Path) -> FakeDiscovery:
    fake = FakeDiscovery(tmp_path)
    await fake._admin.close()
    return fake


@pytest.fixture
def gateway(discovery: FakeDiscovery) -> Gateway:
    return Gateway(discovery, partial(build, places=PLACES, system_ca="/ca.pem"), render)


def config(ids: str, key: str | None = None, **listener: Any) -> Config:
    """One listener that offers those agents; the first one has a key."""
    listed: list[dict[str, Any]] = [{"id": each, "url": f"http://{each}.test"} for each in ids]
    if key is not None:
        listed[0]["access_key"] = key
    travel = {"name": "travel", "port": 8001, "agents": [{"id": each} for each in ids]}
    return Config.model_validate(
        {"version": "v1", "agents": listed, "listeners": [travel | listener]}
    )


def clusters(files: Files) -> set[str]:
    return set(files.clusters.content.decode().split())


def routes(files: Files, listener: str = TRAVEL) -> set[str]:
    return set(files.routes[listener].content.decode().split())


def keys(files: Files) -> str:
    return " ".join(file.content.decode() for file in files.secrets.values())


def agents(ids: str) -> set[str]:
    return {f"agent/{each}" for each in ids}


def test_it_begins_with_the_configuration_as_it_is(
    gateway: Gateway, discovery: FakeDiscovery
) -> None:
    topology = gateway.begin(config("ab", key="first"))
    assert [each.name for each in topology.listeners] == ["travel"]
    assert discovery.begun is not None
    assert clusters(discovery.begun) == agents("ab")
    assert "first" in keys(discovery.begun)


async def test_what_requests_on_their_way_need_stays_until_it_is_settled(
    gateway: Gateway, discovery: FakeDiscovery
) -> None:
    gateway.begin(config("ab", key="first"))
    await gateway.admit(config("bc"))
    await gateway.settle()
    beside, alone = discovery.applied
    assert clusters(beside) == routes(beside) == routes(beside, EGRESS) == agents("abc")
    assert "first" in keys(beside)
    assert clusters(alone) == routes(alone) == routes(alone, EGRESS) == agents("bc")
    assert "first" not in keys(alone)
    await gateway.settle()
    assert len(discovery.applied) == 2, "once is enough"


async def test_what_is_kept_is_as_the_new_configuration_says_where_both_have_it(
    gateway: Gateway, discovery: FakeDiscovery
) -> None:
    gateway.begin(config("a", key="first"))
    await gateway.admit(config("a", key="second"))
    (beside,) = discovery.applied
    assert "second" in keys(beside)
    assert "first" not in keys(beside)


async def test_configurations_that_follow_each_other_are_all_kept(
    gateway: Gateway, discovery: FakeDiscovery
) -> None:
    gateway.begin(config("a"))
    await gateway.admit(config("b"))
    await gateway.admit(config("c"))
    assert clusters(discovery.applied[-1]) == agents("abc")
    await gateway.settle()
    assert clusters(discovery.applied[-1]) == agents("c")


async def test_where_nothing_is_left_over_nothing_is_to_be_settled(
    gateway: Gateway, discovery: FakeDiscovery
) -> None:
    gateway.begin(config("a"))
    await gateway.settle()
    await gateway.admit(config("ab"))
    await gateway.settle()
    await gateway.settle()
    assert len(discovery.applied) == 1


@pytest.mark.parametrize("error", [Rejected("Envoy refused it"), ConnectionError("gone")])
async def test_what_envoy_did_not_take_leaves_no_trace(
    gateway: Gateway, discovery: FakeDiscovery, error: Exception
) -> None:
    gateway.begin(config("a", key="first"))
    discovery.error = error
    with pytest.raises(type(error)):
        await gateway.admit(config("b", key="refused"))
    await gateway.admit(config("c"))
    await gateway.settle()
    for files in discovery.applied:
        assert "agent/b" not in clusters(files)
        assert "refused" not in keys(files)
    assert clusters(discovery.applied[0]) == agents("ac")
    assert "first" in keys(discovery.applied[0])


async def test_what_could_not_be_settled_is_tried_again(
    gateway: Gateway, discovery: FakeDiscovery
) -> None:
    gateway.begin(config("a"))
    await gateway.admit(config("b"))
    discovery.error = Rejected("Envoy refused it")
    with pytest.raises(Rejected):
        await gateway.settle()
    await gateway.settle()
    assert clusters(discovery.applied[-1]) == agents("b")


async def test_a_certificate_that_cannot_be_used_changes_nothing(
    gateway: Gateway, discovery: FakeDiscovery, tmp_path: Path
) -> None:
    gateway.begin(config("a"))
    missing = str(tmp_path / "missing")
    with pytest.raises(ValueError, match="missing: No such file"):
        await gateway.admit(config("a", tls={"certificate": missing, "key": missing}))
    assert not discovery.applied


class TestDrains:
    """Clients whose connections are drained are not left without a word in the log."""

    @pytest.fixture
    def said(
        self, gateway: Gateway, caplog: pytest.LogCaptureFixture
    ) -> Callable[[Config, Config], Any]:
        async def said(old: Config, new: Config) -> list[str]:
            gateway.begin(old)
            await gateway.admit(new)
            return caplog.messages

        return said

    async def test_of_a_listener_that_changes(self, said: Any) -> None:
        new = config("a", decision_timeout="7s")
        assert await said(config("a"), new) == [
            "listener travel has changed: its connections are drained"
        ]

    async def test_of_a_listener_that_is_gone(self, said: Any) -> None:
        assert await said(config("a"), config("a", name="other")) == [
            "listener travel is gone: its connections are drained"
        ]

    async def test_of_all_listeners_where_limits_change(self, said: Any) -> None:
        document = config("a").model_dump(mode="json") | {"limits": {"max_request_bytes": 1000}}
        new = Config.model_validate(document)
        assert await said(config("a"), new) == [
            "listener travel has changed: its connections are drained"
        ]

    async def test_of_all_listeners_where_tokens_are_counted_no_more(self, said: Any) -> None:
        document = config("a").model_dump(mode="json") | {"observability": {"tokens": False}}
        assert await said(config("a"), Config.model_validate(document)) == [
            "listener travel has changed: its connections are drained"
        ]

    async def test_agents_and_keys_change_without(self, said: Any) -> None:
        assert await said(config("a", key="first"), config("bc", key="second")) == []

    async def test_what_was_refused_drained_nothing(
        self, gateway: Gateway, discovery: FakeDiscovery, caplog: pytest.LogCaptureFixture
    ) -> None:
        gateway.begin(config("a"))
        discovery.error = Rejected("Envoy refused it")
        with pytest.raises(Rejected):
            await gateway.admit(config("a", decision_timeout="7s"))
        assert not caplog.messages
