"""One load of the configuration, compiled for the request path: immutable, swapped as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Final

from extproc import names
from extproc.answering import AnswerFilters
from extproc.apis.models import models_body
from extproc.availability import Availability
from extproc.calls import Caller
from extproc.config.model.listeners import Listener as ListenerConfig
from extproc.config.model.root import Config, Limits
from extproc.config.targets import agent_targets
from extproc.deciding import Decider
from extproc.filters.chain import Chain
from extproc.filters.factory import Filters, Way
from extproc.http import Answer
from extproc.memory import Memory
from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.factory import Strategies
from extproc.rules import compile_rules
from extproc.spans import NoTracer, Tracer
from extproc.steps import StepAgent, StepRunner

_SESSIONS: Final = 10_000
"""Remembered of a listener, whether or not decisions are."""


_BASIC: Final = frozenset(
    (names.HEADER_AGENT, names.HEADER_PLAN, names.HEADER_SOURCE, names.HEADER_REQUEST_ID)
)
_TOLD: Final = {
    "none": frozenset[str](),
    "basic": _BASIC,
    "full": _BASIC | {names.HEADER_CONFIDENCE, names.HEADER_STEP},
}
"""Headers of a refused answer, by `observability.response_headers`."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What the pipeline needs to know of one listener. Times are seconds.

    `input` are its filters before the decision, `answers` those of agents' answers, by the agent.
    One that `observes` decides, and leaves requests as they are.
    """

    name: str
    input: Chain
    decider: Decider
    steps: StepRunner
    decision_timeout: float
    models: Answer
    answers: Mapping[str, AnswerFilters]
    observes: bool = False


@dataclass(frozen=True, slots=True)
class Runtime:
    """Listeners by name, and the limits of a request.

    `models` are those that agents want in the body, `span_headers` the prefixes of headers that
    spans tell; with `captures` texts of conversations are kept. `services` must be entered before
    the first request, and left after the last.
    """

    generation: int
    listeners: Mapping[str, Listener]
    limits: Limits
    tracer: Tracer
    models: Mapping[str, str] = field(default_factory=dict)
    services: tuple[AbstractAsyncContextManager[object], ...] = ()
    span_headers: tuple[str, ...] = ()
    captures: bool = False


MakeChain = Callable[[Sequence[str], str], Chain]


def build(
    config: Config,
    *,
    generation: int,
    caller: Caller,
    way: Way | None = None,
    tracer: Tracer | None = None,
) -> Runtime:
    """Compile a configuration. Strategies are fitted here, which may take a second.

    `caller` carries the calls of strategies and steps, `way` those of filters, `tracer` their
    spans. Without a `way` nothing is filtered: only decisions are wanted. Raises ValueError where
    something that the configuration names cannot be used.
    """
    tracer = tracer or NoTracer()
    strategies = Strategies(config, caller, tracer)
    filters = Filters(config, way, tracer) if way is not None else None
    chain: MakeChain = (
        filters.chain if filters is not None else lambda _ids, _agent: Chain((), tracer)
    )
    listeners = {
        each.name: _listener(
            config, each, strategies, chain, _steps(config, each, caller, chain, tracer)
        )
        for each in config.listeners
    }
    services = tuple(filters.services) if filters is not None else ()
    models = {agent.id: agent.model for agent in config.agents if agent.model is not None}
    prefixes = tuple(each.lower() for each in config.tracing.span_attributes.header_prefixes)
    return Runtime(
        generation=generation,
        listeners=listeners,
        limits=config.limits,
        tracer=tracer,
        models=models,
        services=services,
        span_headers=prefixes,
        captures=config.observability.capture_prompts,
    )


def informed(
    runtime: Runtime, before: Runtime | None, availability: Availability | None
) -> Runtime:
    """Return the runtime with the sessions that one `before` it remembers.

    With `availability` its strategies do not choose what is down.
    """
    known = before.listeners if before is not None else {}

    def inform(listener: Listener) -> Listener:
        old = known.get(listener.name, listener)
        decider = replace(
            listener.decider, sessions=old.decider.sessions, availability=availability
        )
        return replace(listener, decider=decider)

    listeners = {name: inform(each) for name, each in runtime.listeners.items()}
    return replace(runtime, listeners=listeners)


def _listener(
    config: Config,
    listener: ListenerConfig,
    strategies: Strategies,
    chain: MakeChain,
    steps: StepRunner,
) -> Listener:
    return Listener(
        name=listener.name,
        input=chain(listener.input_filters, ""),
        decider=_decider(config, listener, strategies),
        steps=steps,
        decision_timeout=listener.decision_timeout.total_seconds(),
        models=Answer(models_body((agent.id, agent.description) for agent in listener.agents)),
        answers=_answers(config, listener, chain),
        observes=listener.mode == "observe",
    )


def _answers(
    config: Config, listener: ListenerConfig, chain: MakeChain
) -> dict[str, AnswerFilters]:
    """Return the filters of answers, of those agents alone that have any."""
    own = {agent.id: agent.output_filters for agent in listener.agents}
    last = chain(listener.output_filters, "")
    filters = {}
    for agent in config.agents:
        links = (*chain(own.get(agent.id, ()), agent.id).links, *last.links)
        if links:
            timeout = (agent.timeout or listener.timeout).total_seconds()
            filters[agent.id] = AnswerFilters(
                replace(last, links=links),
                timeout,
                config.limits.max_response_bytes,
                _TOLD[config.observability.response_headers],
            )
    return filters


def _decider(config: Config, listener: ListenerConfig, strategies: Strategies) -> Decider:
    agents = [AgentInfo(each.id, each.description, each.examples) for each in listener.agents]
    orchestrator = config.orchestrator
    offered = tuple(agent.id for agent in agents)
    strategy, local = strategies.make(agents)
    entries = orchestrator.cache.entries
    return Decider(
        agents=offered,
        default=listener.default_agent,
        strategy=strategy,
        local=local,
        rules=compile_rules(listener.rules, offered, orchestrator.max_agents),
        session_header=orchestrator.session.header,
        decisions=Memory(entries, orchestrator.cache.ttl.total_seconds()),
        sessions=Memory(_SESSIONS, None),
        reject_none=orchestrator.on_none == "reject",
        reject_error=orchestrator.on_error == "reject",
    )


def _steps(
    config: Config, listener: ListenerConfig, caller: Caller, chain: MakeChain, tracer: Tracer
) -> StepRunner:
    timeouts = {agent.id: agent.timeout or listener.timeout for agent in config.agents}
    models = {agent.id: agent.model for agent in config.agents}
    # An agent that only a rule names has no filters of its own here.
    inputs = {agent.id: agent.input_filters for agent in listener.agents}
    outputs = {agent.id: agent.output_filters for agent in listener.agents}
    return StepRunner(
        agents={
            agent: StepAgent(
                target,
                timeouts[agent].total_seconds(),
                input=chain(inputs.get(agent, ()), agent),
                output=chain(outputs.get(agent, ()), agent),
                model=models[agent],
            )
            for agent, target in agent_targets(config).items()
        },
        caller=caller,
        parallel=listener.execution == "parallel",
        skip_failed=listener.on_step_error == "skip",
        insert=listener.insert,
        max_bytes=config.limits.max_response_bytes,
        limits=config.limits,
        tracer=tracer,
    )
