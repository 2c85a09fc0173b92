"""The running stack as one JSON object: what a person wants to see of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any

from extproc.address import SocketAddress
from extproc.config.model.agents import Agent, Upstream
from extproc.config.model.filters import Filter
from extproc.config.model.listeners import Listener
from extproc.recording import Outcome
from extproc.supervisor import control, counts
from extproc.supervisor.counts import Counts, FilterCounts
from extproc.supervisor.envoy import EnvoyAdmin
from extproc.supervisor.figures import AgentFigures
from extproc.supervisor.reload import Reloads
from extproc.supervisor.stack import Stack

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was counted until now. What is Envoy's is None where it is not ours or says nothing."""

    counts: Counts
    figures: Mapping[tuple[str, str], AgentFigures] | None = None
    addresses: Mapping[str, SocketAddress] | None = None


def readiness(stack: Stack, reloads: Reloads) -> Json:
    """Return how the processes of a stack stand."""
    return {
        "status": "draining" if stack.draining else "ready" if stack.ready else "starting",
        "generation": reloads.generation,
        "workers": [{"pid": worker.pid, "status": worker.status} for worker in stack.workers],
        "envoy": {"pid": stack.envoy.pid} if stack.envoy is not None else None,
    }


def last_reload(reloads: Reloads) -> Json | None:
    """Return how the last reload ended; None where there was none."""
    last = reloads.last
    return None if last is None else {**asdict(last), "time": _written(last.time)}


async def gather(stack: Stack) -> Gathered:
    """Ask Envoy, and read what the workers have counted."""
    await control.tell_metrics(stack.serving())
    # Reading the files of many workers takes a while.
    counted = await asyncio.to_thread(counts.read, stack.settings.metrics)
    if stack.admin is None:
        return Gathered(counted)
    figures, addresses = await asyncio.gather(_figures(stack.admin), _addresses(stack.admin))
    return Gathered(counted, figures, addresses)


async def _figures(admin: EnvoyAdmin) -> dict[tuple[str, str], AgentFigures] | None:
    try:
        return {(each.agent, each.variant): each for each in await admin.agent_figures()}
    except OSError:
        return None


async def _addresses(admin: EnvoyAdmin) -> Mapping[str, SocketAddress] | None:
    try:
        return await admin.listener_addresses()
    except OSError:
        return None


def describe(stack: Stack, reloads: Reloads, gathered: Gathered) -> Json:
    """Return the answer to `GET /status`. What is not known is None."""
    config, counted = reloads.config, gathered.counts
    return {
        "time": _written(datetime.now(UTC)),
        "version": _version(),
        **readiness(stack, reloads),
        "last_reload": last_reload(reloads),
        "requests": {
            "total": sum(counted.outcomes.values()),
            "inflight": counted.inflight,
            "outcomes": {each.value: counted.outcomes.get(each, 0) for each in Outcome},
        },
        "listeners": [_listener(each, gathered) for each in config.listeners],
        "agents": [_agent(each, gathered) for each in config.agents],
        "filters": [
            _filter(each, counted.filters.get(each.id, FilterCounts())) for each in config.filters
        ],
    }


def _listener(listener: Listener, gathered: Gathered) -> Json:
    address = (gathered.addresses or {}).get(listener.name)
    scheme = "https" if listener.tls is not None else "http"
    return {
        "name": listener.name,
        "url": f"{scheme}://{address}" if address is not None else None,
        "agents": [agent.id for agent in listener.agents],
        "default": listener.default_agent,
        "input_filters": list(listener.input_filters),
        "output_filters": list(listener.output_filters),
        "requests": gathered.counts.listeners.get(listener.name, 0),
    }


def _agent(agent: Agent, gathered: Gathered) -> Json:
    figures = gathered.figures or {}
    upstreams = agent.variants or (agent,)
    names = [each.id for each in agent.variants or ()]
    seen = [each for name in names or [""] if (each := figures.get((agent.id, name))) is not None]
    return {
        "id": agent.id,
        "hosts": [url for each in upstreams for url in _urls(each)],
        **_figured(seen),
        "decided": gathered.counts.agents.get(agent.id, 0),
        "variants": [
            {
                "id": each.id,
                "weight": each.weight,
                **_figured([found] if (found := figures.get((agent.id, each.id))) else []),
            }
            for each in agent.variants or ()
        ],
    }


def _urls(upstream: Upstream) -> Iterator[str]:
    """Yield all hosts: URLs of a configuration hold no credentials."""
    yield from upstream.endpoints or filter(None, (upstream.url,))
    yield from upstream.failover


def _figured(seen: Sequence[AgentFigures]) -> Json:
    """Add up what Envoy counted; percentiles cannot be added up."""
    if not seen:
        return dict.fromkeys(("healthy", "total", "requests", "errors", "p50_ms", "p95_ms"))
    times = seen[0].times if len(seen) == 1 else None
    return {
        "healthy": sum(each.healthy for each in seen),
        "total": sum(each.total for each in seen),
        "requests": sum(sum(each.responses.values()) for each in seen),
        "errors": sum(each.responses["5xx"] for each in seen),
        "p50_ms": times.p50 if times is not None else None,
        "p95_ms": times.p95 if times is not None else None,
    }


def _filter(config: Filter, counted: FilterCounts) -> Json:
    calls = counted.calls
    return {
        "id": config.id,
        "type": config.type,
        "mode": config.mode,
        "on_error": config.on_error,
        "calls": calls,
        "outcomes": dict(counted.outcomes),
        "mean_ms": round(counted.seconds / calls * 1000, 3) if calls else None,
    }


def _written(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")


@cache
def _version() -> str:
    return version("outerloop-extproc")
