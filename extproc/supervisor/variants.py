"""How the variants of an agent fare, and whether they differ by more than chance.

Error rates have Wilson's score interval (E. B. Wilson, "Probable inference, the law of succession,
and statistical inference", J. Am. Stat. Assoc. 22, 1927), differences of two the interval that
Newcombe made of it (R. G. Newcombe, "Interval estimation for the difference between independent
proportions", Statistics in Medicine 17, 1998, method 10). Both hold for few requests and for no
errors at all, where the usual ones do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist
from typing import Final

from extproc.supervisor.figures import AgentFigures

_CONFIDENCE: Final = 0.95
_NEGLIGIBLE: Final = 0.05
"""A difference of error rates that must be ruled out before two count as alike."""

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One variant, with the keys of `GET /variants`.

    `requests` are those that were answered, `errors` those with a status of 500 and more. Rates
    are from 0 to 1 and None without requests. `variant` is None for an agent without variants.
    """

    agent: str
    variant: str | None
    requests: int
    errors: int
    error_rate: float | None
    error_rate_low: float | None
    error_rate_high: float | None
    p50_ms: float | None
    p95_ms: float | None


class Verdict(Enum):
    """What can be said of two error rates."""

    HIGHER = "higher"
    LOWER = "lower"
    ALIKE = "alike"
    UNKNOWN = "unknown"
    """There are too few requests to tell."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variant's error rate beside that of the `baseline`, and the interval of the difference."""

    variant: Row
    baseline: Row
    difference: Interval

    @property
    def verdict(self) -> Verdict:
        """What the interval lets one say."""
        low, high = self.difference
        if low > 0:
            return Verdict.HIGHER
        if high < 0:
            return Verdict.LOWER
        return Verdict.ALIKE if max(-low, high) <= _NEGLIGIBLE else Verdict.UNKNOWN


def make_rows(figures: Iterable[AgentFigures]) -> list[Row]:
    """Return a row for each variant, and for each agent without variants."""
    return [_row(each) for each in figures]


def compare(variants: Sequence[Row]) -> list[Comparison]:
    """Compare the variants of one agent with the one that has most requests.

    All intervals together hold with 95 % confidence (Bonferroni).
    """
    if not variants:
        return []
    baseline = max(variants, key=lambda row: row.requests)
    others = [row for row in variants if row is not baseline]
    return [
        Comparison(each, baseline, _difference(each, baseline, comparisons=len(others)))
        for each in others
    ]


def wilson(errors: int, requests: int, confidence: float = _CONFIDENCE) -> Interval:
    """Return the interval of the rate behind `errors` of `requests`: 0 to 1 without requests."""
    if not requests:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate = errors / requests
    middle = rate + z * z / (2 * requests)
    reach = z * math.sqrt(rate * (1 - rate) / requests + (z / requests) ** 2 / 4)
    scale = 1 + z * z / requests
    # At the ends the terms cancel, but not always to the last digit.
    low = 0.0 if errors == 0 else (middle - reach) / scale
    high = 1.0 if errors == requests else (middle + reach) / scale
    return low, high


def newcombe(
    first: tuple[int, int], second: tuple[int, int], confidence: float = _CONFIDENCE
) -> Interval:
    """Return the interval of the first rate minus the second, each as errors of requests.

    -1 to 1 where either has no requests.
    """
    if not (first[1] and second[1]):
        return -1.0, 1.0
    (low, high), (other_low, other_high) = (wilson(*each, confidence) for each in (first, second))
    rate, other = (errors / requests for errors, requests in (first, second))
    difference = rate - other
    return (
        difference - math.hypot(rate - low, other_high - other),
        difference + math.hypot(high - rate, other - other_low),
    )


def _row(figures: AgentFigures) -> Row:
    requests, errors = sum(figures.responses.values()), figures.responses["5xx"]
    low, high = wilson(errors, requests) if requests else (None, None)
    return Row(
        agent=figures.agent,
        variant=figures.variant or None,
        requests=requests,
        errors=errors,
        error_rate=errors / requests if requests else None,
        error_rate_low=low,
        error_rate_high=high,
        p50_ms=figures.times.p50,
        p95_ms=figures.times.p95,
    )


def _difference(variant: Row, baseline: Row, *, comparisons: int) -> Interval:
    return newcombe(
        (variant.errors, variant.requests),
        (baseline.errors, baseline.requests),
        1 - (1 - _CONFIDENCE) / comparisons,
    )
