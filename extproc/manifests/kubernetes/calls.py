"""What the pods call by themselves, and how long they may be at it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from extproc.config.model.agents import Agent
from extproc.config.model.listeners import Listener
from extproc.config.model.root import Config
from extproc.config.targets import agent_targets, filter_targets, targets
from extproc.origin import Origin, parse_origin
from extproc.plan import LONGEST_WAIT

_SHORTEST_DRAIN: Final = timedelta(seconds=30)
"""What `serve` takes where nothing needs longer."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a pod connects to, and the key that says so, behind the id of what it belongs to."""

    key: str
    origin: Origin


def destinations(config: Config) -> Iterator[Destination]:
    """Yield everything that pods connect to."""
    if config.egress.url is not None:
        yield Destination("egress.url", parse_origin(config.egress.url, api=False))
    else:
        yield from _own_calls(config)
    if config.tracing.otlp_endpoint is not None:
        collector = parse_origin(config.tracing.otlp_endpoint, api=False)
        yield Destination("tracing.otlp_endpoint", collector)


def _own_calls(config: Config) -> Iterator[Destination]:
    for name, target in filter_targets(config).items():
        yield Destination(f"filters: {name}: url", target.origin)
    for name, target in targets(config).items():
        if name == config.orchestrator.asked:
            yield Destination(f"orchestrator.{name}.url", target.origin)
    steps = {agent.id for agent in step_agents(config)}
    for name, target in agent_targets(config).items():
        if name in steps and target.has_address:
            yield Destination(f"agents: {name}", target.origin)


def step_agents(config: Config) -> tuple[Agent, ...]:
    """Return the agents that can come before the last one of a plan: the pods call those."""
    called = {
        agent
        for listener in config.listeners
        if _steps(config, listener)
        for agent in _offered(listener)
    }
    return tuple(agent for agent in config.agents if agent.id in called)


def drain_time(config: Config) -> int:
    """Return the seconds after which nothing that a pod was asked about can still run."""
    longest = max(_longest(config, listener) for listener in config.listeners)
    return math.ceil(max(_SHORTEST_DRAIN, min(longest, LONGEST_WAIT)).total_seconds())


def _longest(config: Config, listener: Listener) -> timedelta:
    """Return how long a request of that listener can need the processor."""
    if listener.mode == "observe":
        return listener.decision_timeout
    answering = max(
        agent.timeout or listener.timeout
        for agent in config.agents
        if agent.id in _offered(listener)
    )
    steps = _steps(config, listener)
    in_turn = min(steps, 1) if listener.execution == "parallel" else steps
    looked_at = listener.output_filters or any(each.output_filters for each in listener.agents)
    return listener.decision_timeout + answering * (in_turn + bool(looked_at))


def _steps(config: Config, listener: Listener) -> int:
    """Return how many agents can come before the last one of a plan."""
    if listener.mode == "observe":
        return 0
    return min(config.orchestrator.max_agents, len(_offered(listener))) - 1


def _offered(listener: Listener) -> set[str]:
    ruled = {agent for rule in listener.rules for agent in rule.agents or ()}
    return {agent.id for agent in listener.agents} | ruled
