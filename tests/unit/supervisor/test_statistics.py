from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from extproc.supervisor.figures import AgentFigures, Bucket, Figures, ListenerFigures, Times
from extproc.supervisor.statistics import QUERY, read

NOTHING = {"2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0}
NO_LIMIT = {"connections": 0, "pending_requests": 0, "requests": 0, "retries": 0}
BUCKETS = (Bucket(0, 0, 1), Bucket(4, 0.1, 1), Bucket(42, 1, 1), Bucket(250, 10, 2))


def test_agents_and_variants_are_told_from_all_else(envoy_stats: dict[str, Any]) -> None:
    times = Times(BUCKETS, 42.5, 259)
    canary = AgentFigures(
        agent="hotel_agent",
        variant="canary",
        responses={"2xx": 3, "3xx": 0, "4xx": 1, "5xx": 1},
        healthy=1,
        total=2,
        times=times,
        first_byte=times,
        tokens={"input": 30},
        active=4,
        retries=6,
        overflows=NO_LIMIT | {"requests": 5},
        ejected=1,
        ejections=2,
    )
    stable = AgentFigures(
        "hotel_agent", "stable", NOTHING, 1, 1, Times(), overflows=NO_LIMIT, tokens={"output": 9}
    )
    dead = AgentFigures("dead", "", NOTHING | {"5xx": 2}, 0, 1, Times(), overflows=NO_LIMIT)
    assert read(envoy_stats).agents == (dead, canary, stable)


def test_listeners(envoy_stats: dict[str, Any]) -> None:
    travel = ListenerFigures(
        "travel",
        NOTHING | {"2xx": 8},
        active=2,
        connections=3,
        refused=1,
        asked_again=7,
        undecided=4,
    )
    assert read(envoy_stats).listeners == (travel,)


def test_nothing_is_read_of_nothing() -> None:
    assert read({"stats": []}) == Figures()


def test_the_query_asks_for_what_is_read(envoy_stats: dict[str, Any]) -> None:
    asked = parse_qs(urlsplit(QUERY).query)
    assert (asked["format"], asked["histogram_buckets"]) == (["json"], ["detailed"])
    [pattern] = asked["filter"]
    *numbers, histograms = envoy_stats["stats"]
    shown = [stat for stat in numbers if re.search(pattern, stat["name"])]
    assert len(shown) < len(numbers)
    assert read({"stats": [*shown, histograms]}) == read(envoy_stats)
