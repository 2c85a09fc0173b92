from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from extproc.supervisor.child import Status
from extproc.supervisor.errors import StartError
from extproc.supervisor.stack import Stack, WorkerSettings, stop_event, worker_command


async def test_workers_are_started_kept_and_drained(
    worker_settings: Callable[..., WorkerSettings],
) -> None:
    stack = Stack(worker_settings(workers=2))
    stop = asyncio.Event()
    told: list[str] = []

    async def when_ready() -> None:
        told.append("ready")
        assert stack.ready
        first = stack.workers[0]
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        while first.status is Status.READY:
            await asyncio.sleep(0.01)
        assert stack.ready, "the other worker serves on"
        while str(first.status) != "ready":
            await asyncio.sleep(0.01)
        stop.set()

    assert not stack.ready
    await stack.run(stop, when_ready)
    assert told == ["ready"]
    assert stack.draining
    assert {worker.status for worker in stack.workers} == {Status.STOPPING}


async def test_a_worker_that_cannot_start_is_a_start_error(
    worker_settings: Callable[..., WorkerSettings],
) -> None:
    async def never() -> None:
        raise AssertionError("not ready")

    with pytest.raises(StartError, match="worker 0 could not start"):
        await Stack(worker_settings("version: v0")).run(asyncio.Event(), never)


async def test_what_fails_when_all_serve_is_raised_as_it_is(
    worker_settings: Callable[..., WorkerSettings],
) -> None:
    async def when_ready() -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await Stack(worker_settings()).run(asyncio.Event(), when_ready)


async def test_a_stop_while_starting_is_heard(
    worker_settings: Callable[..., WorkerSettings],
) -> None:
    stop = asyncio.Event()
    stop.set()
    told: list[str] = []

    async def when_ready() -> None:
        told.append("ready")

    await Stack(worker_settings()).run(stop, when_ready)
    assert not told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_sets_the_stop_event_and_the_second_is_not_held_back(
    number: signal.Signals,
) -> None:
    stop = stop_event()
    os.kill(os.getpid(), number)
    await asyncio.wait_for(stop.wait(), 10)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_workers_command_line_names_its_address(
    worker_settings: Callable[..., WorkerSettings],
) -> None:
    settings = worker_settings(workers=2)
    first, second = (worker_command(settings, index) for index in range(2))
    assert first != second
    assert str(settings.bind[1]) in second


async def test_a_closed_terminal_drains_too() -> None:
    stop = stop_event()
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.wait_for(stop.wait(), 10)
