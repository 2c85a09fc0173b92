"""Workers are killed and replaced while requests and streams run."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.chaos.conftest import Admin, replace
from tests.chaos.load import Load, say

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

KILLS = 20
ONE_IN = 2000
WITHIN = 20.0
pytestmark = pytest.mark.timeout(300)


async def test_kill_9_of_a_worker_fails_at_most_one_request_in_2000(
    up: Callable[..., Stack], http: aiohttp.ClientSession
) -> None:
    stack = up("--workers", "3")
    admin = Admin(stack.admin, http)
    chance = random.Random(9)
    async with Load(stack.url) as load:
        seconds = [
            await replace(admin, chance.randrange(3), signal.SIGKILL, WITHIN) for _ in range(KILLS)
        ]
    say(f"kill -9: {load.report}; replaced within {max(seconds):.1f} s")
    assert sum(load.report.failures.values()) * ONE_IN <= load.report.sent
    assert not load.report.cuts


@pytest.mark.parametrize("workers", [3, 1])
async def test_a_rolling_restart_fails_nothing(
    up: Callable[..., Stack], http: aiohttp.ClientSession, workers: int
) -> None:
    stack = up("--workers", str(workers))
    admin = Admin(stack.admin, http)
    async with Load(stack.url) as load:
        # Twice: a worker's processes use two addresses in turn.
        seconds = [
            await replace(admin, index, signal.SIGTERM, WITHIN) for index in [*range(workers)] * 2
        ]
    say(f"rolling, {workers}: {load.report}; replaced within {max(seconds):.1f} s")
    assert (load.report.failures, load.report.cuts) == ({}, {})
