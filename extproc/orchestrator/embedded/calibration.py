"""Likelihoods from scores. `benchmarks/routing/calibrate.py` fits the figures below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_CEILING: Final = 1.5
"""Units above this are as good as certain: they must not outweigh the other features."""

_BEYOND: Final = 0.1
"""What a unit above the ceiling still counts, so that the better agent has the better score."""

# Two are rounded away from the fit (-.57, -5.45), within its error: a request is given to an
# agent a little sooner than to none, and to several a little later than to one.
_FITS: Final = (3.24, -2.25, -0.5)
_RIGHT: Final = (4.05, -0.25)
_OWN_TASK: Final = (1.49, 2.54, 1.13, 1.92, 1.04, -2.73, -5.6)
_LEAVES: Final = (6.69, -4.84, 3.17, -0.71, -8.35)


def odds(units: NDArray[np.float32], off_topic: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how likely it is that an agent with these units is meant, and not nothing.

    In log-odds: `likely` and `fits` turn them into likelihoods.
    """
    by_units, by_off_topic, bias = _FITS
    capped: NDArray[np.float32] = _BEYOND * units
    capped += (1 - _BEYOND) * _CEILING
    np.minimum(units, capped, out=capped)
    capped *= by_units
    capped += by_off_topic * off_topic + bias
    return capped


def fits(odds: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the likelihoods of log-odds."""
    likely: NDArray[np.float32] = np.reciprocal(1 + np.exp(-odds))
    return likely


def likely(odds: float) -> float:
    """Return the likelihood of log-odds."""
    return (1 + math.tanh(odds / 2)) / 2


def right(lead: float) -> float:
    """Return how likely the best agent is the right one, by its lead in units over the next."""
    by_lead, bias = _RIGHT
    return likely(by_lead * min(lead, _CEILING) + bias)


class OwnTask(NamedTuple):
    """What tells whether a part of a turn is a task for its best agent, beside other tasks.

    `lead` is in units, over the best agents of the other parts; `whole` are the agent's units by
    the whole turn, and `among` says that these are among the best few. `kinship` is the greatest
    cosine to the other agents. `marked`: the user's words set the part apart.
    """

    lead: float
    whole: float
    marked: bool
    among: bool
    content_words: int
    kinship: float

    def features(self) -> tuple[float, ...]:
        """Return the figures that are weighted."""
        lead, whole, marked, among, content_words, kinship = self
        return (
            min(_CEILING, lead),
            min(_CEILING, whole),
            marked,
            among,
            math.log1p(content_words),
            kinship * kinship if kinship > 0 else 0.0,
        )


def own_task(part: OwnTask) -> float:
    """Return how likely a part of a turn is a task of its own."""
    return _weighed(_OWN_TASK, part.features())


@dataclass(frozen=True, slots=True)
class Leaving:
    """What tells whether a turn leaves the agent of the turn before.

    `other` and `previous` are units: of the best other agent, and of the previous one.
    `continuation` is the cosine to turns that go on with what was said before.
    """

    other: float
    previous: float
    content_words: int
    continuation: float

    def features(self) -> tuple[float, float, float, float]:
        """Return the figures that are weighted."""
        return (
            min(self.other, _CEILING),
            min(self.previous, _CEILING),
            math.log1p(self.content_words),
            self.continuation,
        )


def leaves(leaving: Leaving) -> float:
    """Return how likely a turn leaves the agent of the turn before."""
    return _weighed(_LEAVES, leaving.features())


def _weighed(figures: Sequence[float], features: Sequence[float]) -> float:
    # The bias stands last, beyond the features.
    return likely(sum(map(mul, figures, features), figures[-1]))
