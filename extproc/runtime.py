"""One load of the configuration, compiled for the request path: immutable, swapped as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extproc.apis.models import models_body
from extproc.config.model.listeners import Listener as ListenerConfig
from extproc.config.model.root import Config, Limits
from extproc.http import Answer
from extproc.orchestrator.api import AgentInfo, Orchestrator
from extproc.orchestrator.embedded import Embedded


@dataclass(frozen=True, slots=True)
class Listener:
    """What deciding needs to know of one listener. `agents` are in the order of the file."""

    name: str
    agents: tuple[str, ...]
    default: str
    strategy: Orchestrator
    reject_none: bool
    reject_error: bool
    decision_timeout: float
    models: Answer


@dataclass(frozen=True, slots=True)
class Runtime:
    """Listeners by name, and the limits of a request. Times are seconds."""

    generation: int
    listeners: Mapping[str, Listener]
    limits: Limits
    stream_timeout: float


def build(config: Config, *, generation: int) -> Runtime:
    """Compile a configuration. Strategies are fitted here, which may take a second."""
    listeners = {listener.name: _listener(config, listener) for listener in config.listeners}
    slowest = max(listener.decision_timeout for listener in listeners.values())
    return Runtime(
        generation=generation,
        listeners=listeners,
        limits=config.limits,
        stream_timeout=config.limits.request_timeout.total_seconds() + slowest,
    )


def _listener(config: Config, listener: ListenerConfig) -> Listener:
    agents = listener.agents
    infos = [AgentInfo(agent.id, agent.description, agent.examples) for agent in agents]
    default = next((agent.id for agent in agents if agent.default), agents[0].id)
    return Listener(
        name=listener.name,
        agents=tuple(info.id for info in infos),
        default=default,
        strategy=Embedded(infos, max_agents=1),
        reject_none=config.orchestrator.on_none == "reject",
        reject_error=config.orchestrator.on_error == "reject",
        decision_timeout=listener.decision_timeout.total_seconds(),
        models=Answer(models_body((info.id, info.description) for info in infos)),
    )
