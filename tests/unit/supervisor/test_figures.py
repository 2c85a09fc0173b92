from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from extproc.supervisor.figures import QUERY, AgentFigures, Bucket, Times, read

NOTHING = {"2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0}


def test_agents_and_variants_are_told_from_all_else(envoy_stats: dict[str, Any]) -> None:
    buckets = (Bucket(0, 0, 1), Bucket(4, 0.1, 1), Bucket(42, 1, 1), Bucket(250, 10, 2))
    responses = {"2xx": 3, "3xx": 0, "4xx": 1, "5xx": 1}
    assert read(envoy_stats) == (
        AgentFigures("dead", "", NOTHING | {"5xx": 2}, 0, 1, Times()),
        AgentFigures("hotel_agent", "canary", responses, 1, 2, Times(buckets, 42.5, 259)),
        AgentFigures("hotel_agent", "stable", NOTHING, 1, 1, Times()),
    )


def test_nothing_is_read_of_nothing() -> None:
    assert read({"stats": []}) == ()


def test_the_query_asks_for_what_is_read(envoy_stats: dict[str, Any]) -> None:
    asked = parse_qs(urlsplit(QUERY).query)
    assert (asked["format"], asked["histogram_buckets"]) == (["json"], ["detailed"])
    [pattern] = asked["filter"]
    *numbers, histograms = envoy_stats["stats"]
    shown = [stat for stat in numbers if re.search(pattern, stat["name"])]
    assert len(shown) < len(numbers)
    assert read({"stats": [*shown, histograms]}) == read(envoy_stats)


@pytest.mark.parametrize(
    ("bound", "count"), [(1, 1), (4, 1), (5, 2), (43, 3), (250, 3), (260, 5), (1000, 5)]
)
def test_answers_that_took_less(envoy_stats: dict[str, Any], bound: float, count: int) -> None:
    assert read(envoy_stats)[1].times.below(bound) == count


def test_what_they_took_together(envoy_stats: dict[str, Any]) -> None:
    times = read(envoy_stats)[1].times
    assert (times.count, times.sum) == (5, 0 + 4 + 42 + 2 * 254.5)
    assert (Times().count, Times().sum) == (0, 0)
