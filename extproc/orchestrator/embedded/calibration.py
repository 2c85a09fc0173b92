"""Likelihoods from scores. `benchmarks/routing/calibrate.py` fits the figures below."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

_CEILING: Final = 1.5
"""Units above this are as good as certain: they must not outweigh the other features."""

_BEYOND: Final = 0.1
"""What a unit above the ceiling still counts, so that the better agent has the better score."""

_FITS: Final = (3.42, -2.45, -0.61)
_RIGHT: Final = (4.53, -0.24)
_SWITCHES: Final = (5.28, -4.52, 2.06, -3.38, -4.83)


def fits(units: NDArray[np.float32], off_topic: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how likely it is that an agent with these units is meant, and not nothing."""
    by_units, by_off_topic, bias = _FITS
    capped = np.minimum(units, _CEILING + _BEYOND * (units - _CEILING))
    total = by_units * capped + by_off_topic * off_topic + bias
    likely: NDArray[np.float32] = np.reciprocal(1 + np.exp(-total.astype(np.float32)))
    return likely


def right(lead: float) -> float:
    """Return how likely the best agent is the right one, by its lead in units over the next."""
    by_lead, bias = _RIGHT
    return _logistic(by_lead * min(lead, _CEILING) + bias)


def switches(other: float, previous: float, content_words: int, continuation: float) -> float:
    """Return how likely a turn leaves the agent of the turn before.

    `other` and `previous` are units: of the best other agent, and of the previous one.
    `continuation` is the cosine to turns that go on with what was said before.
    """
    by_other, by_previous, by_words, by_continuation, bias = _SWITCHES
    return _logistic(
        by_other * min(other, _CEILING)
        + by_previous * min(previous, _CEILING)
        + by_words * math.log1p(content_words)
        + by_continuation * continuation
        + bias
    )


def _logistic(total: float) -> float:
    return (1 + math.tanh(total / 2)) / 2
