"""Which share of all callers each variant gets, so that a change of weights moves few of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Final

TOTAL: Final = 1_000_000
"""Places that a caller can be drawn for: Envoy takes the hash of its header modulo this."""

Share = tuple[str, int]
"""A variant, and how many places in a row are its own."""


def layout(weights: Mapping[str, int]) -> tuple[Share, ...]:
    """Return the variant of each of the `TOTAL` places, run by run, by the weights alone.

    The same weights give the same layout, in whatever order and of whatever total. All but the
    first variant (by name) grow from a place of their own and leave the rest to it. So of two
    variants only the share that changed moves. Of more, what two others exchange passes through
    the first one and moves twice: no layout by the weights alone can do without. A variant of
    weight 0 has no place.
    """
    names = sorted(weights)
    sizes = _sizes({name: weights[name] for name in names})
    free = [(0, TOTAL)]
    taken: list[tuple[int, int, str]] = []
    for index in range(1, len(names)):
        start = TOTAL * index // len(names)
        mine, free = _take(free, start, sizes[names[index]])
        taken += [(begin, end, names[index]) for begin, end in mine]
    taken += [(begin, end, names[0]) for begin, end in free]
    runs = groupby(sorted(taken), key=itemgetter(2))
    return tuple((name, sum(end - begin for begin, end, _ in run)) for name, run in runs)


def _sizes(weights: Mapping[str, int]) -> dict[str, int]:
    """Return how many places each gets: in proportion, the largest remainders rounded up."""
    total = sum(weights.values())
    sizes = {name: weight * TOTAL // total for name, weight in weights.items()}
    missing = TOTAL - sum(sizes.values())
    remainders = sorted(weights, key=lambda name: (-(weights[name] * TOTAL % total), name))
    for name in remainders[:missing]:
        sizes[name] += 1
    return sizes


Runs = list[tuple[int, int]]


def _take(free: Runs, start: int, size: int) -> tuple[Runs, Runs]:
    """Take `size` free places from `start` on, round the end; return them and what is left."""
    mine: Runs = []
    left: Runs = []
    behind = [(max(begin, start), end) for begin, end in free if end > start]
    before = [(begin, min(end, start)) for begin, end in free if begin < start]
    for begin, end in (*behind, *before):
        cut = min(end, begin + size)
        size -= cut - begin
        mine += [(begin, cut)] if cut > begin else []
        left += [(cut, end)] if end > cut else []
    return mine, sorted(left)
