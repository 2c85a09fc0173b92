from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from extproc.supervisor.child import Child, Command, Status
from extproc.supervisor.errors import StartError

READY = "import sys, json; print(json.dumps({'generation': 3}), flush=True); "
UNTIL_EOF = READY + "sys.stdin.read()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + UNTIL_EOF
LEAVING = """
import json, os, signal, sys

def say(**word):
    print(json.dumps(word), flush=True)

signal.signal(signal.SIGTERM, lambda *_: say(stopping=True))
signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))
signal.signal(signal.SIGUSR2, lambda *_: os._exit(3))
say(turn=int(sys.argv[1]))
sys.stdin.read()
"""
"""Told to stop, it says so and serves on: until its input ends, or as long as it takes."""
LASTING = "while True: signal.pause()\n"


def command(code: str, **changes: Any) -> Command:
    return Command("worker 0", lambda _: (sys.executable, "-c", code), control=True, **changes)


def child(code: str, **changes: Any) -> Child:
    return Child(command(code, **changes))


class Leaving(Child):
    """Keeps `LEAVING` running, and remembers which turns were started and which have ended."""

    def __init__(self, *, overlapping: bool, lasting: bool = False) -> None:
        self.lasting = lasting
        """Whether the first one runs when its input has ended, too."""
        self.turns: list[int] = []
        self.ended: list[int] = []
        made = Command("worker 0", self._argv, True, by_signal=False, overlapping=overlapping)
        super().__init__(made, on_death=self.ended.append)

    def _argv(self, turn: int) -> Sequence[str]:
        self.turns.append(turn)
        lasts = self.lasting and len(self.turns) == 1
        return (sys.executable, "-c", LEAVING + LASTING * lasts, str(turn))

    async def told(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell the process to stop that runs, as somebody else would; return its id."""
        pid = self.pid
        assert pid is not None
        os.kill(pid, number)
        return pid


@asynccontextmanager
async def running(process: Child) -> AsyncIterator[asyncio.Task[None]]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(process.run())
        await asyncio.wait_for(process.wait_ready(), 20)
        yield task
        await process.stop(grace=20)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return stat.rpartition(") ")[2][0] not in "ZX"


async def test_a_child_says_itself_that_it_is_ready() -> None:
    process = child(UNTIL_EOF)
    assert (process.status, process.pid) == (Status.DOWN, None)
    async with running(process):
        assert process.status is Status.READY
        assert process.ready == {"generation": 3}
    assert str(process.status) == "stopping"


async def test_a_killed_child_is_replaced_and_its_end_is_heard_of() -> None:
    ended: list[int] = []
    process = Child(command(UNTIL_EOF), on_death=ended.append)
    async with running(process):
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: process.pid != first and process.status is Status.READY)
        assert ended == [first]


async def test_a_child_that_never_gets_ready_is_a_start_error() -> None:
    with pytest.raises(StartError, match=r"worker 0 could not start \(exit code 7\)"):
        await child("raise SystemExit(7)").run()


async def test_what_a_child_needs_is_prepared_once() -> None:
    done: list[Status] = []

    async def prepare() -> None:
        done.append(process.status)

    process = child(UNTIL_EOF, prepare=prepare)
    async with running(process):
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: process.pid != first and process.status is Status.READY)
    assert done == [Status.DOWN]


async def test_a_child_that_cannot_be_prepared_never_starts() -> None:
    async def prepare() -> None:
        raise StartError("too many files")

    process = child(UNTIL_EOF, prepare=prepare)
    with pytest.raises(StartError, match="too many files"):
        await process.run()
    assert process.pid is None


async def test_a_child_that_ignores_sigterm_is_killed() -> None:
    process = child(STUBBORN)
    async with asyncio.TaskGroup() as group:
        group.create_task(process.run())
        await asyncio.wait_for(process.wait_ready(), 20)
        await process.stop(grace=0.1)


async def test_a_child_that_is_not_told_by_a_signal_ends_with_its_input(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(child(STUBBORN, by_signal=False)):
        pass
    assert not caplog.messages, "it was not killed"


async def test_a_child_has_more_environment_than_we_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    has = "{name: os.environ[name] for name in ('OURS', 'MORE')}"
    code = f"import json, os, sys; print(json.dumps({has}), flush=True); sys.stdin.read()"
    process = child(code, environ={"MORE": "2"})
    async with running(process):
        assert process.ready == {"OURS": "1", "MORE": "2"}


async def test_a_child_without_control_is_marked_ready_by_its_owner() -> None:
    process = Child(Command("Envoy", lambda _: ("sleep", "60")))
    async with asyncio.TaskGroup() as group:
        group.create_task(process.run())
        await until(lambda: process.status is Status.STARTING)
        process.mark_ready()
        assert process.status is Status.READY
        await process.stop(grace=20)


async def test_stopping_what_does_not_run_is_fine() -> None:
    process = child(UNTIL_EOF)
    await process.stop(grace=1)
    assert process.status is Status.STOPPING


async def test_a_run_that_is_cancelled_leaves_nothing_behind() -> None:
    process = Leaving(overlapping=True)
    task = asyncio.ensure_future(process.run())
    await asyncio.wait_for(process.wait_ready(), 20)
    first = await process.told()
    await until(lambda: process.ready == {"turn": 1})
    second = process.pid
    task.cancel()
    await asyncio.wait([task], timeout=20)
    assert task.cancelled()
    assert set(process.ended) == {first, second}


class TestSuccession:
    """A process that was told to stop by somebody else is replaced."""

    @pytest.fixture(autouse=True)
    def never_relieved(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("extproc.supervisor.child._FOUND_WITHIN", 60.0)

    async def test_it_ends_when_its_successor_was_found(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("extproc.supervisor.child._FOUND_WITHIN", 0.1)
        process = Leaving(overlapping=True)
        async with running(process):
            assert not process.is_leaving
            first = await process.told()
            await until(lambda: process.is_leaving)
            await until(lambda: process.ended == [first])
            assert process.ready == {"turn": 1}
            assert not process.is_leaving

    async def test_with_one_address_it_waits_for_nobody(self) -> None:
        process = Leaving(overlapping=False)
        async with running(process):
            first = await process.told()
            await until(lambda: process.ready == {"turn": 1})
            assert process.ended == [first]

    async def test_with_two_addresses_the_successor_serves_before_it_has_ended(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        process = Leaving(overlapping=True)
        async with running(process):
            first = await process.told()
            await until(lambda: process.ready == {"turn": 1})
            assert process.status is Status.READY
            assert runs(first)
            assert not process.ended
            os.kill(first, signal.SIGUSR1)
            await until(lambda: process.ended == [first])
            assert process.status is Status.READY
        assert process.turns == [0, 1]
        assert not [each for each in caplog.records if each.levelname == "ERROR"]

    async def test_a_third_does_not_start_beside_the_first(self) -> None:
        process = Leaving(overlapping=True)
        async with running(process):
            first = await process.told()
            await until(lambda: process.ready == {"turn": 1})
            second = await process.told()
            await until(lambda: process.status is Status.STOPPING)
            assert process.turns == [0, 1]
            assert runs(first)
            os.kill(first, signal.SIGUSR1)
            await until(lambda: process.ready == {"turn": 2})
            assert not runs(first)
            assert runs(second), "it is the one before now"

    async def test_with_one_address_the_successor_starts_when_it_has_ended(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        process = Leaving(overlapping=False, lasting=True)
        async with running(process):
            first = await process.told()
            await until(lambda: process.status is Status.STOPPING)
            assert process.turns == [0]
            assert runs(first)
            os.kill(first, signal.SIGUSR1)
            await until(lambda: process.ready == {"turn": 1})
            assert process.ended == [first]
        assert not [each for each in caplog.records if each.levelname == "ERROR"]
        assert process.deaths == 0

    async def test_one_that_fails_after_it_was_told_has_died(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        process = Leaving(overlapping=False, lasting=True)
        async with running(process):
            first = await process.told()
            await until(lambda: process.status is Status.STOPPING)
            os.kill(first, signal.SIGUSR2)
            await until(lambda: process.pid != first and process.status is Status.READY)
        assert "worker 0 died (exit code 3)" in caplog.text
        assert process.deaths == 1

    async def test_a_successor_that_dies_comes_back_where_nobody_else_is(self) -> None:
        """The first one still listens on its address, and takes the socket away when it ends."""
        process = Leaving(overlapping=True)
        async with running(process):
            first = await process.told()
            await until(lambda: process.ready == {"turn": 1})
            second = await process.told(signal.SIGKILL)
            await until(lambda: process.pid != second and process.status is Status.READY)
            assert runs(first)
            assert process.turns[-1] % 2 == 1

    async def test_the_end_is_the_end_of_all(self) -> None:
        process = Leaving(overlapping=True)
        async with running(process):
            first = await process.told()
            await until(lambda: process.ready == {"turn": 1})
            second = process.pid
        assert set(process.ended) == {first, second}
        assert process.turns == [0, 1]

    async def test_what_its_owner_told_to_stop_has_no_successor(self) -> None:
        code = LEAVING.replace("say(stopping=True)", "(say(stopping=True), os._exit(0))")
        turns: list[int] = []

        def argv(turn: int) -> Sequence[str]:
            turns.append(turn)
            return (sys.executable, "-c", code, str(turn))

        async with running(Child(Command("worker 0", argv, control=True, overlapping=True))):
            pass
        assert turns == [0]


def test_children_end_with_a_supervisor_that_is_killed() -> None:
    code = (
        "import asyncio, sys\n"
        "from extproc.supervisor.child import Child, Command\n"
        "async def main():\n"
        "    c = Child(Command('sleep', lambda _: ('sleep', '60')))\n"
        "    t = asyncio.ensure_future(c.run())\n"
        "    while c.pid is None: await asyncio.sleep(0.01)\n"
        "    print(c.pid, flush=True)\n"
        "    await t\n"
        "asyncio.run(main())\n"
    )

    async def main() -> None:
        supervisor = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
        )
        assert supervisor.stdout is not None
        pid = int(await asyncio.wait_for(supervisor.stdout.readline(), 20))
        supervisor.kill()
        await supervisor.wait()
        await until(lambda: not runs(pid))

    asyncio.run(main())
