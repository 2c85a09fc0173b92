"""The workers' metrics, added up: they outlive the worker that counted. And the stack's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from extproc.supervisor.envoy_metrics import EnvoyCollector
from extproc.supervisor.figures import Figures

CONTENT_TYPE = CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True)
class StackFigures:
    """What the supervisor itself knows.

    `reloads` says how often each outcome was, `in_force` whether the last one was applied,
    `workers` how many are in each state, `deaths` how many of each kind of process were replaced.
    """

    version: str
    generation: int
    in_force: bool
    reloads: Mapping[str, int] = field(default_factory=dict)
    workers: Mapping[str, int] = field(default_factory=dict)
    deaths: Mapping[str, int] = field(default_factory=dict)


def exposition(folder: Path, stack: StackFigures, envoy: Figures | None = None) -> bytes:
    """Return all metrics in Prometheus' text format; none of Envoy's for None."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call] # no stubs
    if envoy is not None:
        registry.register(EnvoyCollector(envoy))
    registry.register(_StackCollector(stack))
    return generate_latest(registry)


def forget(folder: Path, pid: int) -> None:
    """Leave out what only a living worker can have, such as requests in flight."""
    mark_process_dead(pid, path=str(folder))  # type: ignore[no-untyped-call] # no stubs


class _StackCollector(Collector):
    def __init__(self, stack: StackFigures) -> None:
        self._stack = stack

    def collect(self) -> Iterator[Metric]:
        stack = self._stack
        reloads = CounterMetricFamily(
            "outerloop_config_reloads", "Configurations read while running", labels=("outcome",)
        )
        for outcome, count in stack.reloads.items():
            reloads.add_metric((outcome,), count)
        yield reloads
        yield GaugeMetricFamily(
            "outerloop_config_generation",
            "Configurations in force since the start, the one now included",
            stack.generation,
        )
        yield GaugeMetricFamily(
            "outerloop_config_last_reload_successful",
            "1, or 0 while the file is one that was rejected",
            int(stack.in_force),
        )
        workers = GaugeMetricFamily(
            "outerloop_workers", "Workers by what they do now", labels=("status",)
        )
        for status, count in stack.workers.items():
            workers.add_metric((status,), count)
        yield workers
        deaths = CounterMetricFamily(
            "outerloop_deaths", "Processes that died and were replaced", labels=("process",)
        )
        for process, count in stack.deaths.items():
            deaths.add_metric((process,), count)
        yield deaths
        build = GaugeMetricFamily(
            "outerloop_build_info", "1, with the version that runs", labels=("version",)
        )
        build.add_metric((stack.version,), 1)
        yield build
