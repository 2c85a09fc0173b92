"""BM25: what a feature that texts have in common tells of each agent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]

_K1, _B = 1.2, 0.75  # the usual constants


class Posting(NamedTuple):
    """The agents that use a feature, what it tells of each of them, and the most of that."""

    agents: NDArray[np.intp]
    weights: Scores
    most: float


def bm25(counts: Sequence[Counter[str]]) -> tuple[dict[str, Posting], float]:
    """Return the postings of the features of agents, and the weight of one that no agent has."""
    lengths = np.array([counter.total() for counter in counts], np.float32)
    norm = _K1 * (1 - _B + _B * lengths / max(float(lengths.mean()), 1.0)) if counts else lengths
    holders: dict[str, list[int]] = {}
    for agent, counter in enumerate(counts):
        for feature in counter:
            holders.setdefault(feature, []).append(agent)
    postings = {}
    for feature, agents in holders.items():
        index = np.array(agents, np.intp)
        tf = np.array([counts[agent][feature] for agent in agents], np.float32)
        idf = float(np.log1p((len(counts) - len(agents) + 0.5) / (len(agents) + 0.5)))
        weights = (idf * tf * (_K1 + 1) / (tf + norm[index])).astype(np.float32)
        postings[feature] = Posting(index, weights, float(weights.max()))
    unknown = float(np.log1p((len(counts) + 0.5) / 0.5)) if counts else 1.0
    return postings, unknown
