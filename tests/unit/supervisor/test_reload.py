from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from extproc.config.load import load
from extproc.config.model.root import Config
from extproc.supervisor.child import Child, Command, Status
from extproc.supervisor.discovery import Rejected
from extproc.supervisor.gateway import Gateway
from extproc.supervisor.reload import Reloader, Reloads
from extproc.supervisor.stack import Stack

YAML = """
version: v1
agents: [{{id: {agent}, url: "http://127.0.0.1:1"}}]
listeners: [{{type: agent, name: l, port: 0, agents: [{{id: {agent}}}]}}]
"""


class Worker(Child):
    """Stands where it is put."""

    def __init__(self) -> None:
        super().__init__(Command("worker", lambda _: ()))
        self.stands = Status.READY
        self.leaves = False

    @property
    def is_leaving(self) -> bool:
        return self.leaves

    @property
    def status(self) -> Status:
        return self.stands


class FakeGateway(Gateway):
    """Keeps what was admitted; `errors` are what comes of the next steps."""

    def __init__(self) -> None:
        self.admitted: list[Config] = []
        self.errors: list[Exception] = []
        self.settling = asyncio.Event()
        self.on_admit: Callable[[], object] = lambda: None

    async def admit(self, config: Config) -> None:
        self.on_admit()
        if self.errors:
            raise self.errors.pop()
        self.admitted.append(config)

    async def settle(self) -> None:
        self.settling.set()
        if self.errors:
            raise self.errors.pop()


@dataclass
class Running:
    """Two workers that serve generation 1, of agent `a`, beside an Envoy."""

    stack: Stack
    workers: tuple[Worker, Worker]
    controls: Sequence[Any]
    reloads: Reloads
    file: Path
    gateway: FakeGateway = field(default_factory=FakeGateway)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def write(self, agent: str = "b", more: str = "") -> None:
        write(self.file, YAML.format(agent=agent) + more)

    def reloader(self) -> Reloader:
        reloader = Reloader(
            self.stack, lambda: load(self.file), self.reloads, self.gateway, self.asked
        )
        reloader._watch._poll = 0.001
        return reloader

    @property
    def generations(self) -> list[int]:
        return [each.generation for each in self.controls]


@pytest.fixture
async def running(
    make_stack: Callable[..., Stack], fake_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> Running:
    monkeypatch.setattr("extproc.supervisor.reload._POLL", 0.005)
    yaml = YAML.format(agent="a")
    stack = make_stack(yaml, workers=2)
    file = Path(stack.settings.file)
    write(file, yaml)
    workers = (Worker(), Worker())
    stack.workers = workers
    controls = [await fake_worker(socket) for socket in stack.settings.controls]
    return Running(stack, workers, controls, Reloads(load(file).config), file)


def write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def snapshots(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("*-*.yaml")]


def read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@asynccontextmanager
async def kept_running(reloader: Reloader) -> AsyncIterator[None]:
    task = asyncio.ensure_future(reloader.run())
    try:
        async with asyncio.timeout(20):
            yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


class TestTakingOver:
    async def test_all_workers_and_envoy_take_over_what_the_file_says(
        self, running: Running
    ) -> None:
        running.write("b")
        await running.reloader().reload()
        assert running.generations == [2, 2]
        assert all("id: b" in each.texts[2] for each in running.controls)
        assert [config.agents[0].id for config in running.gateway.admitted] == ["b"]

    async def test_it_is_told_what_is_in_force_and_how_it_came_to_be(
        self, running: Running
    ) -> None:
        running.write("b")
        await running.reloader().reload()
        reloads = running.reloads
        assert (reloads.generation, reloads.config.agents[0].id) == (2, "b")
        assert reloads.counts == {"applied": 1, "rejected": 0}
        assert reloads.last is not None
        assert (reloads.last.outcome, reloads.last.errors) == ("applied", ())

    async def test_nothing_is_decided_by_it_before_all_are_ready_for_it(
        self, running: Running
    ) -> None:
        seen: list[tuple[int, int | None]] = []
        running.gateway.on_admit = lambda: seen.extend(
            (each.generation, each.prepared) for each in running.controls
        )
        await running.reloader().reload()
        assert seen == [(1, 2), (1, 2)]

    async def test_it_waits_for_a_worker_that_leaves_and_cannot_be_told(
        self, running: Running
    ) -> None:
        running.write("b")
        running.workers[0].leaves = True
        reload = asyncio.ensure_future(running.reloader().reload())
        await asyncio.wait([reload], timeout=0.1)
        assert not reload.done()
        assert running.generations == [1, 1]
        running.workers[0].leaves = False
        await reload
        assert running.generations == [2, 2]

    async def test_workers_that_start_from_then_on_start_with_it(self, running: Running) -> None:
        running.write("b")
        await running.reloader().reload()
        assert running.stack.snapshot.generation == 2
        assert read(running.stack.snapshot.path) == read(running.file)

    async def test_without_a_gateway_of_ours_the_workers_alone_take_it_over(
        self, running: Running
    ) -> None:
        reloader = Reloader(
            running.stack, lambda: load(running.file), running.reloads, None, running.asked
        )
        await reloader.reload()
        assert running.generations == [2, 2]

    async def test_a_worker_that_died_meanwhile_does_not_keep_it_from_the_others(
        self, running: Running
    ) -> None:
        def die() -> None:
            running.controls[0].prepared = None

        running.gateway.on_admit = die
        await running.reloader().reload()
        assert running.generations == [1, 2]
        assert running.reloads.generation == 2

    async def test_what_the_file_is_warned_of_is_logged(
        self, running: Running, caplog: pytest.LogCaptureFixture
    ) -> None:
        running.write("b", "tracing: {random_sampling: 1}\n")
        await running.reloader().reload()
        assert "tracing: has no effect without `otlp_endpoint`" in caplog.text
        assert running.reloads.generation == 2

    async def test_what_only_a_start_can_change_is_told(
        self, running: Running, caplog: pytest.LogCaptureFixture
    ) -> None:
        running.write("a", "admin: {port: 1}\n")
        await running.reloader().reload()
        assert "admin: takes effect when the stack starts again" in caplog.messages


class TestRejected:
    """Then all is as it was."""

    @pytest.fixture(autouse=True)
    async def nothing_changed(self, running: Running) -> AsyncIterator[None]:
        before = running.stack.snapshot
        yield
        assert running.generations == [1, 1]
        assert (running.reloads.generation, running.reloads.config.agents[0].id) == (1, "a")
        assert running.reloads.counts == {"applied": 0, "rejected": 1}
        assert running.stack.snapshot == before
        assert before.path.exists()

    def errors(self, running: Running) -> tuple[str, ...]:
        last = running.reloads.last
        assert last is not None
        assert last.outcome == "rejected"
        return last.errors

    async def test_a_faulty_file_is_told_by_its_faults_and_asked_of_nobody(
        self, running: Running, caplog: pytest.LogCaptureFixture
    ) -> None:
        write(running.file, "version: v1\nlisteners: 7\n")
        await running.reloader().reload()
        assert len(self.errors(running)) > 1
        assert all(str(running.file) in each for each in self.errors(running))
        assert not [each.asked for each in running.controls if each.asked]
        assert [each for each in self.errors(running) if each not in caplog.messages] == []
        assert caplog.messages[-1].endswith("was not taken over: generation 1 stays in force")

    async def test_a_file_that_is_gone_is_one_too(self, running: Running) -> None:
        running.file.unlink()
        await running.reloader().reload()
        assert "no such file" in self.errors(running)[0]

    @pytest.mark.parametrize("refusing", [0, 1])
    async def test_what_one_worker_cannot_use_none_decides_by(
        self, running: Running, refusing: int
    ) -> None:
        running.controls[refusing].refuses = "filter pii: cannot be made"
        await running.reloader().reload()
        assert self.errors(running) == ("filter pii: cannot be made",)
        assert not running.gateway.admitted

    @pytest.mark.parametrize(
        "error",
        [Rejected("Envoy refused it"), ValueError("no pair"), ConnectionError("Envoy is gone")],
    )
    async def test_what_envoy_does_not_take_no_worker_decides_by(
        self, running: Running, error: Exception
    ) -> None:
        running.gateway.errors = [error]
        await running.reloader().reload()
        assert self.errors(running) == (str(error),)


async def test_what_was_mended_is_taken_over(running: Running) -> None:
    reloader = running.reloader()
    running.gateway.errors = [Rejected("Envoy refused it")]
    running.write("b")
    await reloader.reload()
    running.write("c")
    await reloader.reload()
    assert running.generations == [2, 2]
    assert all("id: c" in each.texts[2] for each in running.controls)
    assert running.reloads.counts == {"applied": 1, "rejected": 1}


class TestWhen:
    async def test_it_is_asked_for(self, running: Running) -> None:
        async with kept_running(running.reloader()):
            running.asked.set()
            await until(lambda: running.reloads.generation == 2)
            running.asked.set()
            await until(lambda: running.reloads.generation == 3)

    async def test_the_file_changes(self, running: Running) -> None:
        async with kept_running(running.reloader()):
            await running.gateway.settling.wait()
            running.write("b")
            await until(lambda: running.reloads.config.agents[0].id == "b")

    async def test_one_change_is_one_reload_however_it_was_heard_of(self, running: Running) -> None:
        last = running.controls[1]
        async with kept_running(running.reloader()):
            await running.gateway.settling.wait()
            last.older_streams = 1
            running.write("b")
            running.asked.set()
            await until(lambda: running.reloads.generation == 2)
            for _ in range(10):
                await last.looks.get()
            assert running.reloads.counts == {"applied": 1, "rejected": 0}

    async def test_the_file_changed_while_the_stack_started(self, running: Running) -> None:
        running.write("b")
        async with kept_running(running.reloader()):
            await until(lambda: running.reloads.config.agents[0].id == "b")

    async def test_a_file_that_is_as_it_was_is_not_taken_over(self, running: Running) -> None:
        async with kept_running(running.reloader()):
            await running.gateway.settling.wait()
            assert running.reloads.last is None

    async def test_lines_may_end_as_on_windows(self, running: Running) -> None:
        text = read(running.file).replace("\n", "\r\n")
        for path in (running.file, running.stack.snapshot.path):
            path.write_bytes(text.encode())
        async with kept_running(running.reloader()):
            await running.gateway.settling.wait()
            assert running.reloads.last is None

    async def test_a_certificate_changes(self, running: Running, tmp_path: Path) -> None:
        for name in ("tls.pem", "tls.key"):
            write(tmp_path / name, "PEM")
        tls = "tls: {certificate: tls.pem, key: tls.key}"
        text = read(running.file).replace("port: 0", f"port: 0, {tls}")
        write(running.file, text)
        write(running.stack.snapshot.path, text)
        running.reloads.config = load(running.file).config
        async with kept_running(running.reloader()):
            await running.gateway.settling.wait()
            write(tmp_path / "tls.pem", "another PEM")
            await until(lambda: running.reloads.generation == 2)


class TestSettling:
    """What the last configuration had is taken away when nobody needs it any more."""

    async def test_it_waits_for_streams_that_began_before(self, running: Running) -> None:
        last = running.controls[1]
        last.older_streams = 1
        async with kept_running(running.reloader()):
            for _ in range(3):
                await last.looks.get()
            assert not running.gateway.settling.is_set()
            last.older_streams = 0
            await running.gateway.settling.wait()

    async def test_a_worker_that_was_behind_is_brought_up(self, running: Running) -> None:
        running.write("b")
        running.workers[0].stands = Status.STARTING
        reloader = running.reloader()
        await reloader.reload()
        assert running.generations == [1, 2]
        running.workers[0].stands = Status.READY
        async with kept_running(reloader):
            await running.gateway.settling.wait()
        assert running.generations == [2, 2]
        assert "id: b" in running.controls[0].texts[2]

    @pytest.mark.parametrize("status", [Status.STARTING, Status.STOPPING, Status.DOWN])
    async def test_it_waits_for_a_worker_that_may_know_the_last_one_alone(
        self, running: Running, status: Status
    ) -> None:
        running.workers[0].stands = status
        reloader = running.reloader()
        assert not await reloader._all_decide_by(running.stack.snapshot)
        async with kept_running(reloader):
            running.workers[0].stands = Status.READY
            await running.gateway.settling.wait()

    async def test_it_waits_for_a_worker_that_leaves(self, running: Running) -> None:
        running.workers[0].leaves = True
        assert not await running.reloader()._all_decide_by(running.stack.snapshot)
        running.workers[0].leaves = False
        assert await running.reloader()._all_decide_by(running.stack.snapshot)

    async def test_old_snapshots_go(self, running: Running, tmp_path: Path) -> None:
        reloader = running.reloader()
        await reloader.reload()
        async with kept_running(reloader):
            await running.gateway.settling.wait()
        assert snapshots(tmp_path) == ["outerloop-2.yaml"]

    async def test_what_stays_with_envoy_is_told_and_does_not_end_it(
        self, running: Running, caplog: pytest.LogCaptureFixture
    ) -> None:
        running.gateway.errors = [Rejected("Envoy refused it")]
        async with kept_running(running.reloader()):
            await running.gateway.settling.wait()
            await until(lambda: "stays with Envoy: Envoy refused it" in caplog.text)
            running.asked.set()
            await until(lambda: running.reloads.generation == 2)
