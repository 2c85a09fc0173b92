from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from benchmarks.speed.plots import Line, plot
from benchmarks.speed.statistics import Spread


def exactly(value: float) -> Spread:
    return Spread(value, value, value)


def circles(picture: str) -> list[tuple[float, float]]:
    found = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="3.5"', picture)
    return [(float(x), float(y)) for x, y in found]


def test_more_is_further_right_and_further_up_within_the_picture() -> None:
    line = Line("a < b", [(1, exactly(10)), (10, exactly(100)), (100, exactly(1000))])
    picture = plot("Cost & more", "bytes", "µs", [line])
    ET.fromstring(picture)
    (x1, y1), (x2, y2), (x3, y3) = circles(picture)
    assert 0 < x1 < x2 < x3 < 640
    assert 400 > y1 > y2 > y3 > 0
    # Logarithmic: the same factor is the same distance.
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)


def test_the_dashed_line_is_what_linear_growth_would_be() -> None:
    line = Line("linear", [(1, exactly(10)), (100, exactly(1000))])
    picture = plot("t", "x", "y", [line])
    dashed = re.search(r'class="linear" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"', picture)
    assert dashed is not None
    left, low, right, high = map(float, dashed.groups())
    (x1, y1), (x2, y2) = circles(picture)
    assert (right, high) == (x2, y2)
    assert (y1 - y2) / (x2 - x1) == pytest.approx((low - high) / (right - left), rel=0.01)


def test_noise_does_not_fill_the_picture() -> None:
    line = Line("flat", [(1, exactly(100)), (10, exactly(105))])
    (_, y1), (_, y2) = circles(plot("t", "x", "y", [line]))
    assert abs(y1 - y2) < 20


def test_nothing_is_no_picture() -> None:
    with pytest.raises(ValueError, match="no points"):
        plot("t", "x", "y", [Line("empty", [])])
