"""The workers' metrics, added up: they survive the worker that counted them. And the agents'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from extproc.supervisor.figures import AgentFigures, Times

CONTENT_TYPE = CONTENT_TYPE_LATEST

_VARIANT: Final = ("agent", "variant")
# Where Envoy's own buckets begin: they are ten times finer.
_RESPONSE_BUCKETS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(60.0, 120.0, 300.0, 600.0),
)


def exposition(
    folder: Path, agents: Sequence[AgentFigures] = (), reloads: Mapping[str, int] | None = None
) -> bytes:
    """Return all workers' metrics, and those of `agents`, in Prometheus' text format.

    `reloads` says how often each outcome was.
    """
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call] # no stubs
    if agents:
        registry.register(_AgentCollector(agents))
    registry.register(_ReloadCollector(reloads or {}))
    return generate_latest(registry)


def forget(folder: Path, pid: int) -> None:
    """Leave out what only a living worker can have, such as requests in flight."""
    mark_process_dead(pid, path=str(folder))  # type: ignore[no-untyped-call] # no stubs


class _ReloadCollector(Collector):
    def __init__(self, reloads: Mapping[str, int]) -> None:
        self._reloads = reloads

    def collect(self) -> Iterator[Metric]:
        reloads = CounterMetricFamily(
            "outerloop_config_reloads", "Configurations read while running", labels=("outcome",)
        )
        for outcome, count in self._reloads.items():
            reloads.add_metric((outcome,), count)
        yield reloads


class _AgentCollector(Collector):
    """Shows what Envoy counted as if it were counted here."""

    def __init__(self, agents: Sequence[AgentFigures]) -> None:
        self._agents = agents

    def collect(self) -> Iterator[Metric]:
        responses = CounterMetricFamily(
            "outerloop_agent_responses",
            "Answers of agents after retries, Envoy's own 503 and 504 in their place included",
            labels=(*_VARIANT, "status_class"),
        )
        seconds = HistogramMetricFamily(
            "outerloop_agent_response_seconds",
            "Whole exchanges with agents, streams and retries included: from the request's end to "
            "the answer's; the sum is estimated from the buckets",
            labels=_VARIANT,
        )
        hosts = GaugeMetricFamily(
            "outerloop_agent_hosts",
            "Hosts of agents: the healthy ones, and all",
            labels=(*_VARIANT, "state"),
        )
        for each in self._agents:
            name = (each.agent, each.variant)
            for status_class, count in each.responses.items():
                responses.add_metric((*name, status_class), count)
            seconds.add_metric(name, list(_buckets(each.times)), each.times.sum / 1000)
            hosts.add_metric((*name, "healthy"), each.healthy)
            hosts.add_metric((*name, "total"), each.total)
        yield from (responses, seconds, hosts)


def _buckets(times: Times) -> Iterator[tuple[str, float]]:
    for bound in _RESPONSE_BUCKETS:
        yield str(bound), times.below(bound * 1000)
    yield "+Inf", times.count
