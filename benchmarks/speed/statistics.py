"""Turns, and what to make of figures that others on the machine have disturbed."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some figures, and the least and the most of them."""

    median: float
    least: float
    most: float


def spread(figures: Sequence[float]) -> Spread:
    """Return how figures are spread. Raises ValueError where there are none."""
    if not figures:
        raise ValueError("there are no figures")
    return Spread(statistics.median(figures), min(figures), max(figures))


def ratios(figures: Sequence[float], bases: Sequence[float]) -> Spread:
    """Return how figures compare with those of a base that were taken in the same rounds.

    Each is divided by that of its own round: what disturbs a round disturbs both. Raises ValueError
    where there is not one for each.
    """
    return spread([figure / base for figure, base in zip(figures, bases, strict=True) if base])


def turns(items: Sequence[Item], rounds: int) -> Iterator[tuple[int, Item]]:
    """Yield `(round, item)`: A B C, B C A, C A B.

    So nobody always comes after the busiest.
    """
    for number in range(rounds):
        first = number % max(1, len(items))
        for item in (*items[first:], *items[:first]):
            yield number, item


def growth(points: Sequence[tuple[float, float]]) -> float:
    """Return how fast a cost grows at most: as this power of x, between any two neighbours.

    0 is not at all, 1 is linearly, above it is faster. `points` are `(x, cost)`, in order of x.
    Raises ValueError where there are not two.
    """
    if len(points) < 2:  # noqa: PLR2004 - a line needs two
        raise ValueError("growth needs two points")
    return max(
        math.log(cost / before) / math.log(x / x_before)
        for (x_before, before), (x, cost) in itertools.pairwise(points)
    )
