from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from extproc.errors import OrchestratorFailed
from extproc.orchestrator.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker, ServerDown


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("model server m", clock)


def fail(breaker: Breaker) -> None:
    with pytest.raises(ServerDown), breaker.guard():
        raise ServerDown("refused")


def succeed(breaker: Breaker) -> None:
    with breaker.guard():
        pass


def is_open(breaker: Breaker) -> bool:
    entered = False
    with suppress(OrchestratorFailed, KeyError), breaker.guard():
        entered = True
        raise KeyError
    return not entered


def open_it(breaker: Breaker) -> None:
    for _ in range(FAILURES):
        fail(breaker)


def test_it_opens_after_failures_in_a_row(breaker: Breaker) -> None:
    for _ in range(FAILURES - 1):
        fail(breaker)
    assert not is_open(breaker)
    fail(breaker)
    assert is_open(breaker)


def test_a_success_between_starts_the_count_again(breaker: Breaker) -> None:
    for _ in range(FAILURES - 1):
        fail(breaker)
    succeed(breaker)
    for _ in range(FAILURES - 1):
        fail(breaker)
    assert not is_open(breaker)


def test_other_errors_and_cancellation_count_for_nothing(breaker: Breaker) -> None:
    for error in (OrchestratorFailed("400"), asyncio.CancelledError(), KeyError()):
        for _ in range(FAILURES):
            with pytest.raises(type(error)), breaker.guard():
                raise error
    assert not is_open(breaker)


def test_after_a_pause_one_probe_goes_through(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += FIRST_PAUSE - 0.1
    assert is_open(breaker)
    clock.now += 0.1
    with breaker.guard():
        assert is_open(breaker)
    assert not is_open(breaker)


def test_the_pause_grows_with_each_failed_probe(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    pause = FIRST_PAUSE
    for _ in range(5):
        clock.now += pause
        fail(breaker)
        pause = min(2 * pause, LONGEST_PAUSE)
        clock.now += pause - 0.1
        assert is_open(breaker)
        clock.now += 0.1
        assert not is_open(breaker)
    assert pause == LONGEST_PAUSE


def test_the_first_pause_is_short_again_after_a_success(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += FIRST_PAUSE
    fail(breaker)
    clock.now += LONGEST_PAUSE
    succeed(breaker)
    open_it(breaker)
    clock.now += FIRST_PAUSE
    assert not is_open(breaker)


def test_a_probe_that_is_cancelled_makes_room_for_the_next(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += FIRST_PAUSE
    with pytest.raises(asyncio.CancelledError), breaker.guard():
        raise asyncio.CancelledError
    assert not is_open(breaker)


def test_calls_from_before_the_opening_do_not_prolong_it(breaker: Breaker, clock: Clock) -> None:
    with suppress(ServerDown), breaker.guard():
        open_it(breaker)
        clock.now += FIRST_PAUSE - 1
        raise ServerDown("late")
    clock.now += 1
    assert not is_open(breaker)


def test_the_log_says_when_and_for_how_long(
    breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    open_it(breaker)
    clock.now += FIRST_PAUSE
    succeed(breaker)
    assert [record.getMessage() for record in caplog.records] == [
        "model server m: refused; not asked for 5 s",
        "model server m answers again",
    ]
