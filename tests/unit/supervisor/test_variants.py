from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.supervisor.figures import AgentFigures, Bucket, Times
from extproc.supervisor.variants import (
    Row,
    Verdict,
    compare,
    make_rows,
    newcombe,
    wilson,
)

Counts = tuple[int, int]


def rows(*counts: Counts) -> list[Row]:
    """Rows a, b, ... of one agent, each with errors of requests."""
    return make_rows(
        AgentFigures(
            "hotel",
            "abcdef"[index],
            {"2xx": requests - errors, "3xx": 0, "4xx": 0, "5xx": errors},
            1,
            1,
            Times(),
        )
        for index, (errors, requests) in enumerate(counts)
    )


@pytest.mark.parametrize(
    ("errors", "requests", "low", "high"),
    [
        # The first four: R. G. Newcombe, "Two-sided confidence intervals for the single
        # proportion", Statistics in Medicine 17, 1998, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1),
        (0, 0, 0, 1),
    ],
)
def test_intervals_of_a_rate(errors: int, requests: int, low: float, high: float) -> None:
    assert wilson(errors, requests) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # The first five: Newcombe, 1998 (see the module), table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1),
        ((0, 0), (1, 10), -1, 1),
        ((1, 10), (0, 0), -1, 1),
    ],
)
def test_intervals_of_a_difference(first: Counts, second: Counts, low: float, high: float) -> None:
    assert newcombe(first, second) == pytest.approx((low, high), abs=5e-5)


COUNTS = st.integers(1, 10**6).flatmap(
    lambda requests: st.tuples(st.integers(0, requests), st.just(requests))
)


@given(COUNTS, COUNTS)
def test_intervals_hold_what_was_seen(first: Counts, second: Counts) -> None:
    rate, other = (errors / requests for errors, requests in (first, second))
    low, high = wilson(*first)
    assert 0 <= low <= rate <= high <= 1
    low, high = newcombe(first, second)
    assert low <= rate - other <= high
    assert newcombe(second, first) == pytest.approx((-high, -low))


def test_more_confidence_takes_wider_intervals() -> None:
    widths = [high - low for low, high in (wilson(3, 50, each) for each in (0.8, 0.95, 0.99))]
    assert all(narrow < wide for narrow, wide in pairwise(widths))


def test_a_row_for_each_variant() -> None:
    responses = {"2xx": 5, "3xx": 1, "4xx": 2, "5xx": 2}
    times = Times((Bucket(40, 1, 10),), 40.5, 40.9)
    canary, plain = make_rows(
        [
            AgentFigures("hotel", "canary", responses, 1, 1, times),
            AgentFigures("weather", "", dict.fromkeys(responses, 0), 1, 1, Times()),
        ]
    )
    low, high = wilson(2, 10)
    assert canary == Row("hotel", "canary", 10, 2, 0.2, low, high, 40.5, 40.9)
    assert plain == Row("weather", None, 0, 0, None, None, None, None, None)


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        # The first has more requests: the second is compared with it.
        (((95, 9500), (20, 500)), Verdict.HIGHER),
        (((950, 9500), (20, 500)), Verdict.LOWER),
        (((95, 9500), (5, 500)), Verdict.ALIKE),
        (((0, 9500), (0, 500)), Verdict.ALIKE),
        (((1, 95), (0, 5)), Verdict.UNKNOWN),
        (((10, 950), (0, 0)), Verdict.UNKNOWN),
        (((0, 0), (0, 0)), Verdict.UNKNOWN),
    ],
)
def test_what_can_be_said(counts: tuple[Counts, Counts], verdict: Verdict) -> None:
    first, second = rows(*counts)
    [comparison] = compare([first, second])
    assert (comparison.variant, comparison.baseline) == (second, first)
    assert comparison.verdict is verdict


def test_each_is_compared_with_the_one_of_most_requests() -> None:
    first, second, third = rows((1, 50), (95, 9500), (9, 400))
    comparisons = compare([first, second, third])
    assert [(each.variant, each.baseline) for each in comparisons] == [
        (first, second),
        (third, second),
    ]


def test_many_comparisons_do_not_find_more_by_chance() -> None:
    first, second, third = rows((95, 9500), (10, 500), (10, 500))
    [alone] = compare([first, second])
    together, _ = compare([first, second, third])
    assert alone.verdict is Verdict.HIGHER
    assert together.verdict is Verdict.ALIKE
    assert together.difference[0] < alone.difference[0]


def test_one_alone_is_not_compared() -> None:
    assert compare(rows((1, 2))) == []
    assert compare([]) == []
