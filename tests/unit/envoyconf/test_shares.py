from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.envoyconf.shares import TOTAL, layout

Weights = dict[str, int]


def sizes(weights: Weights) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, size in layout(weights):
        found[name] = found.get(name, 0) + size
    return found


def moved(before: Weights, after: Weights) -> float:
    """Return the share of all places that lead to another variant."""
    edges: list[tuple[int, int, str]] = []
    for which, weights in enumerate((before, after)):
        position = 0
        for name, size in layout(weights):
            edges.append((position, which, name))
            position += size
    now = ["", ""]
    last = different = 0
    for position, which, name in [*sorted(edges), (TOTAL, 0, "")]:
        different += (position - last) * (now[0] != now[1])
        now[which], last = name, position
    return different / TOTAL


@given(st.dictionaries(st.text("abcdef", min_size=1), st.integers(0, 10**6), min_size=1))
def test_all_places_are_shared_out_in_proportion(weights: Weights) -> None:
    total = sum(weights.values())
    if not total:
        return
    got = sizes(weights)
    assert sum(got.values()) == TOTAL
    for name, weight in weights.items():
        assert abs(got.get(name, 0) - weight * TOTAL / total) < 1
        assert name in got or weight * TOTAL < total


def test_only_the_weights_count() -> None:
    stable, canary = {"stable": 95, "canary": 5}, {"canary": 10, "stable": 190}
    assert layout(stable) == layout(canary)


@given(st.integers(0, 100), st.integers(0, 100))
def test_between_two_only_the_share_that_changed_moves(before: int, after: int) -> None:
    change = moved({"a": 100 - before, "b": before}, {"a": 100 - after, "b": after})
    assert change == pytest.approx(abs(after - before) / 100, abs=1e-5)


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        ({"a": 80, "b": 10, "c": 10}, {"a": 70, "b": 20, "c": 10}, 0.1),
        ({"a": 50, "b": 30, "c": 20}, {"a": 40, "b": 30, "c": 30}, 0.1),
        ({"a": 90, "b": 5, "c": 5}, {"a": 90, "b": 0, "c": 10}, 2 * 0.05),
        ({"a": 1}, {"a": 95, "b": 5}, 0.05),
    ],
)
def test_a_few_small_ones_beside_a_large_one_move_no_more(
    before: Weights, after: Weights, share: float
) -> None:
    assert moved(before, after) == pytest.approx(share, abs=1e-5)
