"""One load of the configuration, compiled for the request path: immutable, swapped as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from extproc.apis.models import models_body
from extproc.calls import Caller
from extproc.config.model.listeners import Listener as ListenerConfig
from extproc.config.model.root import Config, Limits
from extproc.config.targets import agent_targets
from extproc.deciding import Decider
from extproc.http import Answer
from extproc.memory import Memory
from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.factory import Strategies
from extproc.rules import compile_rules
from extproc.spans import NoTracer, Tracer
from extproc.steps import StepAgent, StepRunner

_SESSIONS: Final = 10_000
"""Remembered of a listener, whether or not decisions are."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What the pipeline needs to know of one listener. Times are seconds."""

    name: str
    decider: Decider
    steps: StepRunner
    decision_timeout: float
    models: Answer


@dataclass(frozen=True, slots=True)
class Runtime:
    """Listeners by name, and the limits of a request."""

    generation: int
    listeners: Mapping[str, Listener]
    limits: Limits
    tracer: Tracer


def build(
    config: Config, *, generation: int, caller: Caller, tracer: Tracer | None = None
) -> Runtime:
    """Compile a configuration. Strategies are fitted here, which may take a second.

    `caller` carries the calls of strategies and steps, `tracer` their spans. Raises ValueError
    where a file that the configuration names cannot be used.
    """
    tracer = tracer or NoTracer()
    strategies = Strategies(config, caller)
    listeners = {
        each.name: _listener(config, each, strategies, _steps(config, each, caller, tracer))
        for each in config.listeners
    }
    return Runtime(generation, listeners, config.limits, tracer)


def _listener(
    config: Config, listener: ListenerConfig, strategies: Strategies, steps: StepRunner
) -> Listener:
    agents = [AgentInfo(each.id, each.description, each.examples) for each in listener.agents]
    return Listener(
        name=listener.name,
        decider=_decider(config, listener, strategies, agents),
        steps=steps,
        decision_timeout=listener.decision_timeout.total_seconds(),
        models=Answer(models_body((agent.id, agent.description) for agent in agents)),
    )


def _decider(
    config: Config, listener: ListenerConfig, strategies: Strategies, agents: list[AgentInfo]
) -> Decider:
    orchestrator = config.orchestrator
    offered = tuple(agent.id for agent in agents)
    strategy, local = strategies.make(agents)
    entries = orchestrator.cache.entries
    return Decider(
        agents=offered,
        default=next((agent.id for agent in listener.agents if agent.default), offered[0]),
        strategy=strategy,
        local=local,
        rules=compile_rules(listener.rules, offered, orchestrator.max_agents),
        session_header=orchestrator.session.header,
        decisions=Memory(entries, orchestrator.cache.ttl.total_seconds()),
        sessions=Memory(_SESSIONS, None),
        reject_none=orchestrator.on_none == "reject",
        reject_error=orchestrator.on_error == "reject",
    )


def _steps(config: Config, listener: ListenerConfig, caller: Caller, tracer: Tracer) -> StepRunner:
    timeouts = {agent.id: agent.timeout or listener.timeout for agent in config.agents}
    return StepRunner(
        agents={
            agent: StepAgent(target, timeouts[agent].total_seconds())
            for agent, target in agent_targets(config).items()
        },
        caller=caller,
        parallel=listener.execution == "parallel",
        skip_failed=listener.on_step_error == "skip",
        insert=listener.insert,
        max_bytes=config.limits.max_response_bytes,
        max_request_bytes=config.limits.max_request_bytes,
        tracer=tracer,
    )
