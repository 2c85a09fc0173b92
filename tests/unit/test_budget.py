from __future__ import annotations

import asyncio

import pytest

from extproc.budget import Budget


async def test_what_runs_outside_costs_nothing() -> None:
    budget = Budget(5)
    with budget:
        await asyncio.sleep(0.01)
    left = budget.left
    assert left < 5
    await asyncio.sleep(0.02)
    assert budget.left == left


async def test_what_is_left_is_known_meanwhile() -> None:
    budget = Budget(5)
    with budget:
        before = budget.left
        await asyncio.sleep(0.01)
        assert budget.left < before


def test_it_only_shrinks() -> None:
    budget = Budget(5)
    budget.shrink(7)
    assert budget.left == 5
    budget.shrink(3)
    assert budget.left == 3


async def test_several_parts_spend_it_together() -> None:
    budget = Budget(0.02)
    with budget:
        await asyncio.sleep(0.015)
    with pytest.raises(TimeoutError), budget:
        await asyncio.sleep(30)
    with pytest.raises(TimeoutError), budget:
        await asyncio.sleep(30)
