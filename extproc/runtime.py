"""One load of the configuration, compiled for the request path: immutable, swapped as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extproc.apis.models import models_body
from extproc.calls import Caller
from extproc.config.model.listeners import Listener as ListenerConfig
from extproc.config.model.root import Config, Limits
from extproc.deciding import Decider
from extproc.http import Answer
from extproc.memory import Memory
from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.factory import Strategies
from extproc.rules import compile_rules


@dataclass(frozen=True, slots=True)
class Listener:
    """What the pipeline needs to know of one listener. Times are seconds."""

    name: str
    decider: Decider
    decision_timeout: float
    models: Answer


@dataclass(frozen=True, slots=True)
class Runtime:
    """Listeners by name, and the limits of a request. Times are seconds."""

    generation: int
    listeners: Mapping[str, Listener]
    limits: Limits
    stream_timeout: float


def build(config: Config, *, generation: int, caller: Caller) -> Runtime:
    """Compile a configuration. Strategies are fitted here, which may take a second.

    `caller` carries the calls of strategies that ask a server. Raises ValueError where a file
    that the configuration names cannot be used.
    """
    strategies = Strategies(config, caller)
    listeners = {each.name: _listener(config, each, strategies) for each in config.listeners}
    slowest = max(listener.decision_timeout for listener in listeners.values())
    return Runtime(
        generation=generation,
        listeners=listeners,
        limits=config.limits,
        stream_timeout=config.limits.request_timeout.total_seconds() + slowest,
    )


def _listener(config: Config, listener: ListenerConfig, strategies: Strategies) -> Listener:
    agents = [AgentInfo(each.id, each.description, each.examples) for each in listener.agents]
    return Listener(
        name=listener.name,
        decider=_decider(config, listener, strategies, agents),
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
        rules=compile_rules(listener.rules, offered),
        session_header=orchestrator.session.header,
        decisions=Memory(entries, orchestrator.cache.ttl.total_seconds()),
        sessions=Memory(entries, None),
        reject_none=orchestrator.on_none == "reject",
        reject_error=orchestrator.on_error == "reject",
    )
