from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from extproc.address import PipeAddress
from extproc.certificates import ServerTls
from extproc.supervisor.child import Child, Command, Status
from extproc.supervisor.envoy import EnvoyAdmin
from extproc.supervisor.errors import StartError
from extproc.supervisor.stack import Snapshot, Stack, signals, worker_command

MakeStack = Callable[..., Stack]


class FakeAdmin(EnvoyAdmin):
    """Of an Envoy that serves and has so many requests running, one less at each question."""

    def __init__(self, requests: int = 0) -> None:
        super().__init__(Path("/nobody.sock"))
        self.requests = requests
        self.error: OSError | None = None
        self.told: list[str] = []

    async def wait_ready(self, workers: int) -> None:
        self.told.append(f"{workers} workers")

    async def refuse_connections(self) -> None:
        if self.error is not None:
            raise self.error
        self.told.append("refuse connections")

    async def active_requests(self) -> int:
        self.told.append(f"{self.requests} requests")
        self.requests -= 1
        return self.requests + 1


def sleeping() -> Child:
    """An Envoy that does nothing."""
    return Child(Command("Envoy", lambda _: ("sleep", "60")))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def kill(worker: Child, number: signal.Signals) -> int:
    pid = worker.pid
    assert pid is not None
    os.kill(pid, number)
    return pid


async def test_workers_are_started_kept_and_drained(make_stack: MakeStack) -> None:
    stack = make_stack(workers=2)
    stop = asyncio.Event()
    told: list[str] = []

    async def when_ready() -> None:
        told.append("ready")
        assert stack.ready
        first, second = stack.workers
        kill(first, signal.SIGKILL)
        await until(lambda: first.status is not Status.READY)
        assert stack.ready, "the other worker serves on"
        assert list(stack.serving()) == [stack.settings.controls[1]]
        await until(lambda: first.status is Status.READY)
        assert list(stack.serving()) == list(stack.settings.controls)
        assert second.status is Status.READY
        stop.set()

    assert not stack.ready
    assert not list(stack.serving())
    await stack.run(stop, when_ready)
    assert told == ["ready"]
    assert stack.draining
    assert {worker.status for worker in stack.workers} == {Status.STOPPING}


async def test_a_replaced_worker_starts_with_the_configuration_in_force(
    make_stack: MakeStack, tmp_path: Path
) -> None:
    stack = make_stack()
    stop = asyncio.Event()

    async def when_ready() -> None:
        (worker,) = stack.workers
        assert worker.ready == {"generation": 1}
        path = stack.snapshot.path.rename(tmp_path / "outerloop-2.yaml")
        stack.snapshot = Snapshot(2, path)
        kill(worker, signal.SIGKILL)
        await until(lambda: worker.ready == {"generation": 2})
        stop.set()

    await stack.run(stop, when_ready)


async def test_a_worker_that_cannot_start_is_a_start_error(make_stack: MakeStack) -> None:
    async def never() -> None:
        raise AssertionError("not ready")

    with pytest.raises(StartError, match="worker 0 could not start"):
        await make_stack("version: v0").run(asyncio.Event(), never)


async def test_what_fails_when_all_serve_is_raised_as_it_is_and_ends_all(
    make_stack: MakeStack,
) -> None:
    stack = make_stack(workers=2)

    async def when_ready() -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await stack.run(asyncio.Event(), when_ready)
    assert {worker.status for worker in stack.workers} == {Status.DOWN}


async def test_a_stop_while_starting_is_heard(make_stack: MakeStack) -> None:
    stop = asyncio.Event()
    stop.set()
    told: list[str] = []

    async def when_ready() -> None:
        told.append("ready")

    await make_stack().run(stop, when_ready)
    assert not told


async def test_what_still_runs_at_the_stop_is_cancelled(make_stack: MakeStack) -> None:
    stop, cancelled = asyncio.Event(), asyncio.Event()

    async def when_ready() -> None:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    await make_stack().run(stop, when_ready)
    assert cancelled.is_set()


class TestBesideAnEnvoy:
    async def test_a_worker_that_is_told_to_stop_hands_over_to_its_other_address(
        self, make_stack: MakeStack, tmp_path: Path
    ) -> None:
        admin, stop = FakeAdmin(), asyncio.Event()
        stack = make_stack(envoy=sleeping(), admin=admin, notice=600)
        other = tmp_path / "w0b.sock"

        async def when_ready() -> None:
            (worker,) = stack.workers
            assert not other.exists()
            first = kill(worker, signal.SIGTERM)
            await until(lambda: worker.pid != first and worker.status is Status.READY)
            assert other.is_socket()
            os.kill(first, signal.SIGKILL)
            stop.set()

        await stack.run(stop, when_ready)
        await admin.close()

    async def test_envoy_takes_no_more_before_workers_stop(self, make_stack: MakeStack) -> None:
        admin, stop = FakeAdmin(requests=2), asyncio.Event()
        stack = make_stack(envoy=sleeping(), admin=admin)

        async def when_ready() -> None:
            assert stack.ready
            stop.set()

        await stack.run(stop, when_ready)
        await admin.close()
        assert admin.told == [
            "1 workers",
            "refuse connections",
            "2 requests",
            "1 requests",
            "0 requests",
        ]

    async def test_an_envoy_that_cannot_be_asked_is_ended_all_the_same(
        self, make_stack: MakeStack, caplog: pytest.LogCaptureFixture
    ) -> None:
        admin, stop = FakeAdmin(), asyncio.Event()
        admin.error = ConnectionError("Envoy's admin: gone")

        async def when_ready() -> None:
            stop.set()

        await make_stack(envoy=sleeping(), admin=admin).run(stop, when_ready)
        await admin.close()
        assert "Envoy cannot be drained: ConnectionError" in caplog.messages

    async def test_workers_alone_are_not_ready(self, make_stack: MakeStack) -> None:
        stop = asyncio.Event()
        envoy = sleeping()
        stack = make_stack(envoy=envoy, admin=FakeAdmin())

        async def when_ready() -> None:
            kill(envoy, signal.SIGKILL)
            await until(lambda: envoy.status is not Status.READY)
            assert not stack.ready
            stop.set()

        await stack.run(stop, when_ready)
        assert stack.admin is not None
        await stack.admin.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_sets_the_stop_event_and_the_second_is_not_held_back(
    number: signal.Signals,
) -> None:
    told = signals()
    os.kill(os.getpid(), number)
    await asyncio.wait_for(told.stop.wait(), 10)
    assert not told.reload.is_set()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_sighup_asks_for_a_reload_each_time() -> None:
    told = signals()
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.wait_for(told.reload.wait(), 10)
        told.reload.clear()
    assert not told.stop.is_set()


class TestCommandLine:
    def test_each_worker_has_its_own_addresses(self, make_stack: MakeStack) -> None:
        stack = make_stack(workers=2)
        first, second = (
            worker_command(stack.settings, stack.snapshot, index) for index in range(2)
        )
        for option in ("--bind", "--control"):
            at = first.index(option) + 1
            assert first[at] != second[at]

    def test_its_processes_have_its_addresses_in_turn(
        self, make_stack: MakeStack, tmp_path: Path
    ) -> None:
        stack = make_stack(envoy=sleeping())
        lines = [worker_command(stack.settings, stack.snapshot, 0, turn) for turn in range(4)]
        bound = [line[line.index("--bind") + 1] for line in lines]
        assert bound == [str(PipeAddress(str(tmp_path / f"w0{turn}.sock"))) for turn in "abab"]

    def test_the_snapshot_is_named_with_its_generation(self, make_stack: MakeStack) -> None:
        stack = make_stack()
        line = worker_command(stack.settings, Snapshot(7, Path("/x.yaml")), 0)
        assert line[line.index("--snapshot") + 1] == "/x.yaml"
        assert line[line.index("--generation") + 1] == "7"

    def test_tls_is_told_where_there_is_some(self, make_stack: MakeStack) -> None:
        stack = make_stack()
        line = worker_command(stack.settings, stack.snapshot, 0)
        assert not [each for each in line if each.startswith("--tls")]
        tls = ServerTls("/tls.crt", "/tls.key", "/ca.crt", ("a.test", "-b"))
        line = worker_command(replace(stack.settings, tls=tls), stack.snapshot, 0)
        assert [each for each in line if each.startswith("--tls")] == [
            "--tls-certificate=/tls.crt",
            "--tls-key=/tls.key",
            "--tls-client-ca=/ca.crt",
            "--tls-client-san=a.test",
            "--tls-client-san=-b",
        ]
