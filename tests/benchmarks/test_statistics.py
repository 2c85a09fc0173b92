from __future__ import annotations

import pytest

from benchmarks.speed.statistics import Spread, growth, ratios, spread, turns


def test_a_spread_is_the_median_with_the_least_and_the_most() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert spread([1.0, 2.0]).median == 1.5


def test_nothing_has_no_spread() -> None:
    with pytest.raises(ValueError, match="no figures"):
        spread([])


def test_figures_are_compared_within_their_round() -> None:
    # The second round was disturbed: twice as slow for both.
    assert ratios([10.0, 20.0, 30.0], [5.0, 10.0, 10.0]) == Spread(2.0, 2.0, 3.0)


def test_each_figure_needs_one_of_its_round() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_a_round_in_which_the_base_did_nothing_is_left_out() -> None:
    assert ratios([1.0, 4.0], [0.0, 2.0]) == Spread(2.0, 2.0, 2.0)


def test_all_take_turns_and_another_one_begins_each_round() -> None:
    assert "".join(item for _, item in turns("ABC", 4)) == "ABCBCACABABC"
    assert [number for number, _ in turns("AB", 2)] == [0, 0, 1, 1]


def test_nobody_takes_no_turns() -> None:
    assert list(turns((), 3)) == []


@pytest.mark.parametrize(
    ("points", "power"),
    [
        ([(1, 5), (10, 5)], 0.0),
        ([(1, 5), (10, 50)], 1.0),
        ([(1, 5), (10, 500)], 2.0),
        ([(1, 5), (10, 5), (100, 500)], 2.0),  # the steepest part counts
    ],
)
def test_growth_is_a_power_of_x(points: list[tuple[float, float]], power: float) -> None:
    assert growth(points) == pytest.approx(power)


def test_one_point_does_not_grow() -> None:
    with pytest.raises(ValueError, match="two points"):
        growth([(1, 1)])
