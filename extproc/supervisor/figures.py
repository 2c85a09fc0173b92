"""What Envoy has counted and measured, as numbers: of each agent, and of each listener."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

STATUS_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many answers took `lower` or more and less than `lower + width` milliseconds."""

    lower: float
    width: float
    count: int


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took.

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

    `responses` has a number for each of `STATUS_CLASSES`; `healthy`, `total` and `ejected` count
    hosts, `active` the requests that are with it now. `times` are of whole answers; `first_byte`
    is from the beginning of the try that was answered to the answer's first byte. `tokens` are
    those that it reported, by direction; `overflows` what its circuit breaker kept away, by limit.
    """

    agent: str
    variant: str
    responses: Mapping[str, int]
    healthy: int
    total: int
    times: Times
    first_byte: Times = Times()
    tokens: Mapping[str, int] = field(default_factory=dict)
    active: int = 0
    retries: int = 0
    overflows: Mapping[str, int] = field(default_factory=dict)
    ejected: int = 0
    ejections: int = 0


@dataclass(frozen=True, slots=True)
class ListenerFigures:
    """One listener: what its clients got, by status class, and what they have open now.

    `refused` are connections over the limit. `asked_again` is how often a worker that was asked for
    a decision failed, so that another one was asked; `undecided` how often that failed too.
    """

    listener: str
    responses: Mapping[str, int]
    active: int
    connections: int
    refused: int
    asked_again: int
    undecided: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All of them, by name."""

    agents: tuple[AgentFigures, ...] = ()
    listeners: tuple[ListenerFigures, ...] = ()
