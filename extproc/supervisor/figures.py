"""What Envoy has counted of each agent, read from its own statistics.

Envoy counts what comes of a request after all tries: an answer that a retry replaced is not
counted, its own 503 or 504 is. It times answers that came whole. A changed cluster begins anew.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

STATUS_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")

_STAT: Final = re.compile(
    r"^cluster\.agent/([A-Za-z0-9_-]+)(?:/([A-Za-z0-9_-]+))?"
    r"\.(upstream_rq_[2-5]xx|upstream_rq_time|membership_healthy|membership_total)$"
)
"""Agent, variant and figure. Envoy's RE2 reads it as Python does."""

# `detailed` gives the finest buckets and the percentiles in one answer.
QUERY: Final = (
    f"/stats?format=json&histogram_buckets=detailed&filter={quote(_STAT.pattern, safe='')}"
)
"""What to ask Envoy's admin for; `read` reads its answer."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many answers took `lower` or more and less than `lower + width` milliseconds."""

    lower: float
    width: float
    count: int


@dataclass(frozen=True, slots=True)
class Times:
    """How long whole answers took: from the request's end to the answer's, retries included.

    Milliseconds; percentiles are None as long as there is nothing to measure. Envoy adds up its
    threads' times every 5 seconds, so they lag behind what it counts.
    """

    buckets: tuple[Bucket, ...] = ()
    p50: float | None = None
    p95: float | None = None

    @property
    def count(self) -> int:
        """How many were measured."""
        return sum(bucket.count for bucket in self.buckets)

    @property
    def sum(self) -> float:
        """About how long they took together: exact where all took less than 100 ms."""
        # Whole milliseconds, so that a bucket of [250, 260) has 254.5 in its middle, not 255.
        return sum(
            bucket.count * (bucket.lower + max(bucket.width - 1, 0) / 2) for bucket in self.buckets
        )

    def below(self, bound: float) -> int:
        """Return how many took less: `bound` has at most two digits that are not zeros.

        There one of Envoy's buckets ends and the next begins.
        """
        return sum(bucket.count for bucket in self.buckets if bucket.lower < bound)


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """One agent, or one variant of it (`variant` is empty for an agent without variants).

    `responses` has a number for each of `STATUS_CLASSES`; `healthy` and `total` count hosts.
    """

    agent: str
    variant: str
    responses: Mapping[str, int]
    healthy: int
    total: int
    times: Times


def read(document: Mapping[str, Any]) -> tuple[AgentFigures, ...]:
    """Return the figures of all agents by name, from the answer to `QUERY`."""
    found: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for name, value in _values(document):
        if match := _STAT.match(name):
            found[match[1], match[2] or ""][match[3]] = value
    return tuple(_figures(*key, found[key]) for key in sorted(found))


def _values(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for stat in document["stats"]:
        if "histograms" not in stat:
            yield stat["name"], stat["value"]
            continue
        histograms = stat["histograms"]
        percentiles = histograms["supported_percentiles"]
        middle, high = percentiles.index(50), percentiles.index(95)
        for each in histograms["details"]:
            yield each["name"], _times(each, middle, high)


def _times(histogram: Mapping[str, Any], middle: int, high: int) -> Times:
    buckets = (
        Bucket(bucket["lower_bound"], bucket["width"], bucket["count"])
        for bucket in histogram["totals"]
    )
    percentiles = histogram["percentiles"]
    return Times(tuple(buckets), percentiles[middle]["cumulative"], percentiles[high]["cumulative"])


def _figures(agent: str, variant: str, figures: Mapping[str, Any]) -> AgentFigures:
    return AgentFigures(
        agent=agent,
        variant=variant,
        # Envoy has no counter for what has not happened yet.
        responses={each: figures.get(f"upstream_rq_{each}", 0) for each in STATUS_CLASSES},
        healthy=figures.get("membership_healthy", 0),
        total=figures.get("membership_total", 0),
        times=figures.get("upstream_rq_time", Times()),
    )
