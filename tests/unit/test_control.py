"""Both sides of a worker's control socket: `extproc.supervisor.control` asks."""

from __future__ import annotations

import socket as sockets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from extproc.availability import Availability
from extproc.config.faults import ConfigError, Fault
from extproc.config.model.root import Config
from extproc.control import Control
from extproc.deciding import Decider
from extproc.errors import OrchestratorFailed
from extproc.generations import Generations
from extproc.orchestrator.api import Orchestrator
from extproc.plan import Decision, Plan, Source
from extproc.recording import Outcome, Record
from extproc.runtime import Runtime
from extproc.server.lifecycle import Server
from extproc.supervisor import control
from extproc.supervisor.control import WorkerFailed
from extproc.supervisor.stack import Snapshot
from extproc.telemetry.decisions import Decisions
from extproc.telemetry.metrics import Metrics


def configured(decisions: int = 5) -> Config:
    return Config.model_validate(
        {
            "version": "v1",
            "agents": [{"id": "a", "url": "http://a"}],
            "listeners": [{"name": "l", "port": 0, "agents": [{"id": "a"}]}],
            "observability": {"decisions": decisions},
        }
    )


class FakeGenerations(Generations):
    """Has prepared and committed what it was told; `error` is what comes of it."""

    def __init__(self) -> None:
        self.prepared: list[tuple[Path, int]] = []
        self.committed: list[int] = []
        self.error: Exception | None = None
        self.committing = configured()
        self.decides: Runtime | None = None

    @property
    def runtime(self) -> Runtime:
        assert self.decides is not None
        return self.decides

    @property
    def number(self) -> int:
        return 7

    @property
    def older_streams(self) -> int:
        return 3

    @property
    def config(self) -> Config:
        return self.committing

    async def prepare(self, snapshot: Path, number: int) -> Config:
        if self.error is not None:
            raise self.error
        self.prepared.append((snapshot, number))
        return self.committing

    def commit(self, number: int, recorder: object = None) -> Server:
        if self.error is not None:
            raise self.error
        assert recorder is None, "it has a server"
        self.committed.append(number)
        return None  # type: ignore[return-value] # nobody looks at it


@pytest.fixture
def generations() -> FakeGenerations:
    return FakeGenerations()


@pytest.fixture
def decisions() -> Decisions:
    kept = Decisions(5)
    for number in range(5):
        decision = Decision("l", Plan(("a",), Source.SINGLE), cached=False, milliseconds=1.0)
        kept.end(Record(f"{number}", "l", Outcome.ROUTED, decision))
    return kept


@pytest.fixture
def availability() -> Availability:
    return Availability()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def socket(
    tmp_path: Path,
    generations: FakeGenerations,
    decisions: Decisions,
    availability: Availability,
    metrics: Metrics,
) -> AsyncIterator[Path]:
    path = tmp_path / "control.sock"
    runner = await Control(generations, decisions, availability, metrics).start(path)
    yield path
    await runner.cleanup()


SNAPSHOT = Snapshot(8, Path("/run/outerloop-8.yaml"))


async def test_decisions_are_told_newest_first(socket: Path) -> None:
    told = await control.decisions([socket])
    assert [each["request_id"] for each in told] == ["4", "3", "2", "1", "0"]


async def test_a_socket_that_a_killed_worker_left_is_replaced(
    tmp_path: Path, generations: FakeGenerations, decisions: Decisions, availability: Availability
) -> None:
    path = tmp_path / "killed.sock"
    with sockets.socket(sockets.AF_UNIX) as killed:
        killed.bind(str(path))
    runner = await Control(generations, decisions, availability, Metrics()).start(path)
    assert (await control.state(path))["generation"] == 7
    await runner.cleanup()


async def test_a_successor_is_asked_from_its_start_on(
    socket: Path, decisions: Decisions, availability: Availability
) -> None:
    """Both have the same socket, and the one before it is still leaving."""
    successor = FakeGenerations()
    runner = await Control(successor, decisions, availability, Metrics()).start(socket)
    await control.prepare(socket, SNAPSHOT)
    assert successor.prepared
    await runner.cleanup()


async def test_what_was_counted_is_told_when_it_is_asked_for(
    socket: Path, metrics: Metrics
) -> None:
    def count() -> float:
        labels = {"listener": "l", "agent": "", "source": "", "outcome": "cancelled"}
        return REGISTRY.get_sample_value("outerloop_requests_total", labels) or 0.0

    before = count()
    metrics.begin()
    metrics.end(Record("1", "l", Outcome.CANCELLED))
    assert count() == before
    await control.tell_metrics([socket, socket.with_name("gone.sock")])
    assert count() == before + 1


async def test_the_state_is_told(socket: Path) -> None:
    assert await control.state(socket) == {"generation": 7, "older_streams": 3}


async def test_a_configuration_is_prepared_and_then_decided_by(
    socket: Path, generations: FakeGenerations
) -> None:
    await control.prepare(socket, SNAPSHOT)
    assert generations.prepared == [(SNAPSHOT.path, 8)]
    assert not generations.committed
    await control.commit(socket, SNAPSHOT)
    assert generations.committed == [8]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConfigError((Fault("o.yaml", 3, 1, "agents", "wrong"),)), "o.yaml:3:1: wrong"),
        (ValueError("filter pii: cannot be made"), "filter pii: cannot be made"),
        (FileNotFoundError(2, "No such file"), "No such file"),
    ],
)
async def test_why_a_configuration_cannot_be_used_is_told(
    socket: Path, generations: FakeGenerations, error: Exception, told: str
) -> None:
    generations.error = error
    with pytest.raises(WorkerFailed, match=told):
        await control.prepare(socket, SNAPSHOT)


async def test_what_was_not_prepared_is_not_decided_by(
    socket: Path, generations: FakeGenerations
) -> None:
    generations.error = ValueError("generation 8 is not prepared")
    with pytest.raises(WorkerFailed, match="generation 8 is not prepared"):
        await control.commit(socket, SNAPSHOT)


async def test_as_many_decisions_are_kept_as_the_configuration_says(
    socket: Path, generations: FakeGenerations
) -> None:
    generations.committing = configured(decisions=2)
    await control.commit(socket, SNAPSHOT)
    assert [each["request_id"] for each in await control.decisions([socket])] == ["4", "3"]


async def test_it_is_told_which_agents_are_down(socket: Path, availability: Availability) -> None:
    await control.tell_down(socket, frozenset("ab"))
    assert availability.down == {"a", "b"}
    await control.tell_down(socket, frozenset())
    assert availability.down == set()


async def test_no_more_decisions_are_told_than_are_wanted(socket: Path) -> None:
    told = await control.decisions([socket], 2)
    assert [each["request_id"] for each in told] == ["4", "3"]


async def test_a_text_is_decided_by_what_serves(
    socket: Path, generations: FakeGenerations, make_runtime: Callable[..., Runtime]
) -> None:
    generations.decides = make_runtime()
    told = await control.route([socket], "rain?", "main")
    assert isinstance(told.pop("ms"), float)
    assert told == {
        "plan": ["a"],
        "source": "embedded",
        "confidence": 0.876,
        "scores": {"a": 0.9, "b": 0.1},
        "reason": "by the built-in strategy",
        "matched": {},
    }


@pytest.fixture
def decides_by(
    generations: FakeGenerations,
    make_runtime: Callable[..., Runtime],
    make_decider: Callable[..., Decider],
    scripted: Callable[..., Orchestrator],
) -> Callable[[Exception | None], None]:
    """Have the worker ask a strategy that raises or hangs."""

    def decide_by(answer: Exception | None) -> None:
        decider = make_decider(strategy=scripted(answer), reject_error=True)
        generations.decides = make_runtime(decider=decider)

    return decide_by


async def test_why_a_text_is_not_decided_is_told(
    socket: Path,
    decides_by: Callable[[Exception | None], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ask(listener: str) -> tuple[str, int]:
        with pytest.raises(WorkerFailed) as failed:
            await control.route([socket], "rain?", listener)
        return str(failed.value), failed.value.status

    decides_by(OrchestratorFailed("the model server gave no answer"))
    assert await ask("main") == ("the model server gave no answer", 503)
    assert await ask("nobody") == ("no such listener", 400)
    decides_by(None)
    monkeypatch.setattr("extproc.control._LONGEST_TRIAL", 0.01)
    assert await ask("main") == ("not decided in time", 504)
