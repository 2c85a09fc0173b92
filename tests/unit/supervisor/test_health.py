from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from extproc.config.model.root import Config
from extproc.supervisor.child import Child, Command, Status
from extproc.supervisor.envoy import EnvoyAdmin
from extproc.supervisor.figures import AgentFigures, Times
from extproc.supervisor.health import Health, agents_down
from extproc.supervisor.reload import Reloads
from extproc.supervisor.stack import Stack


def config(*agents: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            "version": "v1",
            "agents": agents,
            "listeners": [{"name": "l", "port": 0, "agents": [{"id": agents[0]["id"]}]}],
        }
    )


def figures(agent: str, variant: str, healthy: int, total: int = 1) -> AgentFigures:
    return AgentFigures(agent, variant, {}, healthy, total, Times())


def test_an_agent_is_down_when_no_host_is_healthy() -> None:
    two = config({"id": "a", "url": "http://a"}, {"id": "b", "url": "http://b"})
    assert agents_down(two, [figures("a", "", 0), figures("b", "", 1, 2)]) == {"a"}


def test_an_agent_without_hosts_or_figures_is_not_known_to_be_down() -> None:
    two = config({"id": "a", "url": "http://a"}, {"id": "b", "url": "http://b"})
    assert agents_down(two, [figures("a", "", 0, 0)]) == set()


def test_variants_stand_for_each_other_unless_they_get_nothing() -> None:
    split = config(
        {
            "id": "a",
            "variants": [
                {"id": "stable", "weight": 1, "url": "http://a"},
                {"id": "canary", "weight": 1, "url": "http://b"},
                {"id": "off", "weight": 0, "url": "http://c"},
            ],
        }
    )
    one_left = [figures("a", "stable", 0), figures("a", "canary", 1), figures("a", "off", 1)]
    assert agents_down(split, one_left) == set()
    off_alone = [figures("a", "stable", 0), figures("a", "canary", 0), figures("a", "off", 1)]
    assert agents_down(split, off_alone) == {"a"}


class Ready(Child):
    """Serves, as far as its owner knows."""

    def __init__(self) -> None:
        super().__init__(Command("worker", lambda _: ()))

    @property
    def status(self) -> Status:
        return Status.READY


class FakeAdmin(EnvoyAdmin):
    """Tells how many hosts of agent `a` are healthy; None: it does not answer."""

    healthy: int | None = 1

    async def agent_figures(self) -> tuple[AgentFigures, ...]:
        if self.healthy is None:
            raise ConnectionError("Envoy's admin: gone")
        return (figures("a", "", self.healthy), figures("b", "", 1))


@dataclass
class Told:
    """Two workers who are told what is down."""

    health: Health
    admin: FakeAdmin
    workers: Sequence[Any]
    sockets: Sequence[Path]

    async def look(self, healthy: int | None) -> list[list[str] | None]:
        self.admin.healthy = healthy
        await self.health._look()
        return [each.down for each in self.workers]


@pytest.fixture
async def told(make_stack: Callable[..., Stack], fake_worker: Any) -> AsyncIterator[Told]:
    stack = make_stack(workers=2)
    stack.workers = (Ready(), Ready())
    admin = FakeAdmin(Path("/nobody.sock"))
    two = config({"id": "a", "url": "http://a"}, {"id": "b", "url": "http://b"})
    sockets = stack.settings.controls
    workers = [await fake_worker(socket) for socket in sockets]
    yield Told(Health(stack, admin, Reloads(two)), admin, workers, sockets)
    await admin.close()


async def test_all_workers_are_told_what_is_down_and_what_is_up_again(told: Told) -> None:
    assert await told.look(0) == [["a"], ["a"]]
    assert await told.look(1) == [[], []]


async def test_workers_are_not_asked_for_nothing(told: Told) -> None:
    assert await told.look(1) == [None, None]


async def test_a_worker_that_is_new_is_told_what_the_others_know(told: Told) -> None:
    await told.look(0)
    told.workers[1].down = None
    assert await told.look(0) == [["a"], ["a"]]


async def test_what_is_known_stays_while_envoy_does_not_answer(told: Told) -> None:
    await told.look(0)
    assert await told.look(None) == [["a"], ["a"]]


async def test_where_a_worker_could_not_be_told_all_are_told_again(told: Told) -> None:
    """Who did not hear that an agent is up again would never choose it."""
    await told.look(0)
    gone = told.sockets[0].rename(told.sockets[0].with_suffix(".gone"))
    await told.look(1)
    gone.rename(told.sockets[0])
    assert await told.look(1) == [[], []]


async def test_a_change_is_logged_once(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for healthy in (1, 0, 0, 1, 1):
        await told.look(healthy)
    assert caplog.messages == [
        "agent a has no healthy host: it is not chosen until it has one",
        "agent a has healthy hosts again",
    ]
