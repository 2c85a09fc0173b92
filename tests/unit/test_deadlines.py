from __future__ import annotations

import asyncio
import threading

import pytest

from extproc.deadlines import Deadline


async def test_who_waits_too_long_is_told() -> None:
    with pytest.raises(TimeoutError), Deadline(0.01):
        await asyncio.Event().wait()
    # The task goes on as if nothing had been.
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_nobody_else_is() -> None:
    with Deadline(30), Deadline(20):
        await asyncio.sleep(0)


async def test_what_is_left_is_known() -> None:
    deadline = Deadline(30)
    with deadline:
        assert 0 < deadline.left <= 30


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_one_that_has_passed_ends_the_first_wait(seconds: float) -> None:
    with pytest.raises(TimeoutError), Deadline(seconds):
        await asyncio.Event().wait()


async def test_one_that_has_passed_while_nothing_waits_is_kept() -> None:
    with Deadline(-1):
        pass


async def wait(seconds: float) -> None:
    with Deadline(seconds):
        await asyncio.Event().wait()


async def test_an_earlier_one_is_not_kept_waiting_by_a_later_one() -> None:
    async with asyncio.TaskGroup() as tasks:
        later = tasks.create_task(wait(30))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await wait(0.01)
        assert not later.done()
        later.cancel()


async def test_a_later_one_follows_an_earlier_one() -> None:
    found = await asyncio.gather(*map(wait, (0.03, 0.01, 0.02, 0.0)), return_exceptions=True)
    assert [type(each) for each in found] == [TimeoutError] * 4


async def test_of_two_around_each_other_the_one_that_passes_is_told() -> None:
    with Deadline(30):
        with pytest.raises(TimeoutError), Deadline(0.01):
            await asyncio.Event().wait()
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError), Deadline(0.01), Deadline(30):
        await asyncio.Event().wait()


async def test_both_may_pass_at_once() -> None:
    with pytest.raises(TimeoutError), Deadline(-1), Deadline(-1):
        await asyncio.Event().wait()
    await asyncio.sleep(0)


async def test_a_task_that_others_cancel_is_cancelled() -> None:
    async def disturbed() -> None:
        with Deadline(0.01):
            try:
                await asyncio.Event().wait()
            finally:
                # Meanwhile somebody else wants it to end.
                task = asyncio.current_task()
                assert task is not None
                task.cancel()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(disturbed())
    assert task.cancelled()


async def test_errors_pass() -> None:
    with pytest.raises(KeyError), Deadline(30):
        raise KeyError


def test_each_event_loop_has_its_own() -> None:
    async def late() -> None:
        with pytest.raises(TimeoutError), Deadline(0.01):
            await asyncio.Event().wait()

    threads = [threading.Thread(target=asyncio.run, args=(late(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(late())


async def test_it_is_for_tasks() -> None:
    found: list[BaseException] = []
    deadline = Deadline(1)

    def enter() -> None:
        try:
            deadline.__enter__()
        except RuntimeError as error:
            found.append(error)

    for _ in range(2):
        asyncio.get_running_loop().call_soon(enter)
    await asyncio.sleep(0.01)
    assert len(found) == 2
    with deadline:
        pass
