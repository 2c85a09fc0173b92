from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from extproc.supervisor.child import Child, Status
from extproc.supervisor.errors import StartError

READY = "import sys, json; print(json.dumps({'generation': 3}), flush=True); "
UNTIL_EOF = READY + "sys.stdin.read()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + UNTIL_EOF


def child(code: str) -> Child:
    return Child("worker 0", (sys.executable, "-c", code), control=True)


@asynccontextmanager
async def running(process: Child) -> AsyncIterator[asyncio.Task[None]]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(process.run())
        await asyncio.wait_for(process.wait_ready(), 20)
        yield task
        await process.stop(grace=5)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_child_says_itself_that_it_is_ready() -> None:
    process = child(UNTIL_EOF)
    assert (process.status, process.pid) == (Status.DOWN, None)
    async with running(process):
        assert process.status is Status.READY
        assert process.ready == {"generation": 3}
    assert str(process.status) == "stopping"


@pytest.mark.parametrize("stray", ["'x' * 100_000", "'[1]'", "'not JSON'", "chr(233) * 3"])
async def test_what_a_library_prints_is_not_the_childs_word(stray: str) -> None:
    process = child(f"print({stray}, flush=True); " + UNTIL_EOF)
    async with running(process):
        assert process.ready == {"generation": 3}


async def test_a_killed_child_is_replaced() -> None:
    process = child(UNTIL_EOF)
    async with running(process):
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: process.pid != first and process.status is Status.READY)


async def test_a_child_that_never_gets_ready_is_a_start_error() -> None:
    with pytest.raises(StartError, match=r"worker 0 could not start \(exit code 7\)"):
        await child("raise SystemExit(7)").run()


async def test_a_child_that_ignores_sigterm_is_killed() -> None:
    process = child(STUBBORN)
    async with asyncio.TaskGroup() as group:
        group.create_task(process.run())
        await asyncio.wait_for(process.wait_ready(), 20)
        await process.stop(grace=0.1)


async def test_a_child_without_control_is_marked_ready_by_its_owner() -> None:
    process = Child("Envoy", ("sleep", "60"))
    async with asyncio.TaskGroup() as group:
        group.create_task(process.run())
        await until(lambda: process.status is Status.STARTING)
        process.mark_ready()
        assert process.status is Status.READY
        await process.stop(grace=5)


async def test_stopping_what_does_not_run_is_fine() -> None:
    process = child(UNTIL_EOF)
    await process.stop(grace=1)
    assert process.status is Status.STOPPING


def test_children_end_with_a_supervisor_that_is_killed() -> None:
    code = (
        "import asyncio, sys\n"
        "from extproc.supervisor.child import Child\n"
        "async def main():\n"
        "    c = Child('sleep', ('sleep', '60'))\n"
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
        await until(lambda: not _runs(pid))

    asyncio.run(main())


def _runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return stat.rpartition(") ")[2][0] not in "ZX"
