"""What `GET /metrics` answers: all figures of a stack as they stand now."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from functools import cache
from importlib.metadata import version

from extproc.supervisor import control, metrics
from extproc.supervisor.child import Status
from extproc.supervisor.figures import Figures
from extproc.supervisor.metrics import StackFigures
from extproc.supervisor.reload import Reloads
from extproc.supervisor.stack import Stack

log = logging.getLogger(__name__)


async def measure(stack: Stack, reloads: Reloads) -> bytes:
    """Return the metrics of a stack; without those of Envoy where it does not answer."""
    envoy, _ = await asyncio.gather(_ask_envoy(stack), control.tell_metrics(stack.serving()))
    # Reading the files of many workers takes a while.
    return await asyncio.to_thread(
        metrics.exposition, stack.settings.metrics, _own_figures(stack, reloads), envoy
    )


async def _ask_envoy(stack: Stack) -> Figures | None:
    if stack.admin is None:
        return None
    try:
        return await stack.admin.figures()
    except OSError as error:
        log.warning("metrics without Envoy's: %s", error)
        return None


def _own_figures(stack: Stack, reloads: Reloads) -> StackFigures:
    states = Counter(worker.status for worker in stack.workers)
    deaths = {"worker": sum(worker.deaths for worker in stack.workers)}
    if stack.envoy is not None:
        deaths["envoy"] = stack.envoy.deaths
    return StackFigures(
        version=_version(),
        generation=reloads.generation,
        in_force=reloads.last is None or reloads.last.outcome != "rejected",
        reloads=reloads.counts,
        workers={status.value: states[status] for status in Status},
        deaths=deaths,
    )


@cache
def _version() -> str:
    return version("outerloop-extproc")
