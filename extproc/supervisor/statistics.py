"""Envoy's statistics: the one question that is asked, and what its answer says.

Envoy counts what comes of a request after all tries: an answer that a retry replaced is not
counted, its own 503 or 504 is. It times answers that came whole. A changed cluster begins anew.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from extproc import names
from extproc.supervisor.figures import (
    STATUS_CLASSES,
    AgentFigures,
    Bucket,
    Figures,
    ListenerFigures,
    Times,
)

_ID: Final = "([A-Za-z0-9_-]+)"
_OVERFLOWS: Final = {
    "connections": "upstream_cx_overflow",
    "pending_requests": "upstream_rq_pending_overflow",
    "requests": "upstream_rq_active_overflow",
    "retries": "upstream_rq_retry_overflow",
}
_OF_AGENTS: Final = (
    "upstream_rq_[2-5]xx",
    "upstream_rq_time",
    "upstream_rq_active",
    "upstream_rq_retry",
    *_OVERFLOWS.values(),
    "membership_healthy",
    "membership_total",
    r"outlier_detection\.ejections_active",
    r"outlier_detection\.ejections_enforced_total",
)
_OF_EXCHANGES: Final = (*names.TOKEN_KEYS.values(), names.STAT_FIRST_BYTE)
_OF_LISTENERS: Final = (
    "downstream_rq_[2-5]xx",
    "downstream_rq_active",
    "downstream_cx_active",
    rf"ext_proc\.(?:processor|{names.STAT_AGAIN})\.streams_failed",
    "limited_connections",
)

# Envoy's RE2 reads them as Python does.
_AGENT: Final = rf"cluster\.agent/{_ID}(?:/{_ID})?\.({'|'.join(_OF_AGENTS)})"
_EXCHANGE: Final = (
    rf"{names.STATS_PREFIX}\.({'|'.join(_OF_EXCHANGES)})\.agent\.{_ID}\.variant\.{_ID}?"
)
_LISTENER: Final = rf"(?:http\.agents|connection_limit)\.{_ID}\.({'|'.join(_OF_LISTENERS)})"
_ALL: Final = f"^(?:{_AGENT}|{_EXCHANGE}|{_LISTENER})$"

# `detailed` gives the finest buckets and the percentiles in one answer.
QUERY: Final = f"/stats?format=json&histogram_buckets=detailed&filter={quote(_ALL, safe='')}"
"""What to ask Envoy's admin for; `read` reads its answer."""


def read(document: Mapping[str, Any]) -> Figures:
    """Return all figures, in the order of names, from the answer to `QUERY`."""
    agents: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    exchanges: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    listeners: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, value in _values(document):
        if match := re.fullmatch(_AGENT, name):
            agents[match[1], match[2] or ""][match[3]] = value
        elif match := re.fullmatch(_EXCHANGE, name):
            exchanges[match[2], match[3] or ""][match[1]] = value
        elif match := re.fullmatch(_LISTENER, name):
            listeners[match[1]][match[2]] = value
    return Figures(
        # What was measured of an agent that is gone stays in Envoy, and is nobody's.
        tuple(_agent(*key, agents[key], exchanges.get(key, {})) for key in sorted(agents)),
        tuple(_listener(name, listeners[name]) for name in sorted(listeners)),
    )


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


def _agent(
    agent: str, variant: str, counted: Mapping[str, Any], measured: Mapping[str, Any]
) -> AgentFigures:
    return AgentFigures(
        agent=agent,
        variant=variant,
        # Envoy has no counter for what has not happened yet.
        responses={each: counted.get(f"upstream_rq_{each}", 0) for each in STATUS_CLASSES},
        healthy=counted.get("membership_healthy", 0),
        total=counted.get("membership_total", 0),
        times=counted.get("upstream_rq_time", Times()),
        first_byte=measured.get(names.STAT_FIRST_BYTE, Times()),
        tokens={
            direction: measured[key]
            for direction, key in names.TOKEN_KEYS.items()
            if key in measured
        },
        active=counted.get("upstream_rq_active", 0),
        retries=counted.get("upstream_rq_retry", 0),
        overflows={limit: counted.get(stat, 0) for limit, stat in _OVERFLOWS.items()},
        ejected=counted.get("outlier_detection.ejections_active", 0),
        ejections=counted.get("outlier_detection.ejections_enforced_total", 0),
    )


def _listener(name: str, counted: Mapping[str, Any]) -> ListenerFigures:
    return ListenerFigures(
        listener=name,
        responses={each: counted.get(f"downstream_rq_{each}", 0) for each in STATUS_CLASSES},
        active=counted.get("downstream_rq_active", 0),
        connections=counted.get("downstream_cx_active", 0),
        refused=counted.get("limited_connections", 0),
        asked_again=counted.get("ext_proc.processor.streams_failed", 0),
        undecided=counted.get(f"ext_proc.{names.STAT_AGAIN}.streams_failed", 0),
    )
