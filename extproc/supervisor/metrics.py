"""The workers' metrics, added up: they survive the worker that counted them."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition(folder: Path) -> bytes:
    """Return all workers' metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call] # no stubs
    return generate_latest(registry)


def forget(folder: Path, pid: int) -> None:
    """Leave out what only a living worker can have, such as requests in flight."""
    mark_process_dead(pid, path=str(folder))  # type: ignore[no-untyped-call] # no stubs
