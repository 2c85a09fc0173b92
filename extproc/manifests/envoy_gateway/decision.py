"""Where requests are decided: the routes that match first, and the policies that hang on them.

The processor's headers make another route match, but no other filters: whatever is to see a request
before or after the decision is switched on here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from extproc import names
from extproc.config.model.listeners import Listener
from extproc.config.model.root import Config
from extproc.envoyconf.topology import AgentListener, AgentRoute
from extproc.manifests.envoy_gateway import routes, traffic
from extproc.manifests.envoy_gateway.agents import Reachable, policy, way
from extproc.manifests.envoy_gateway.objects import Place, duration, refer, section
from extproc.manifests.envoy_gateway.processor import Processor, settings
from extproc.manifests.source import Document
from extproc.plan import LONGEST_WAIT, Source

_UNREACHABLE = 507
"""What Envoy answers where the processor fails: a status that nobody else uses, told clients as
`processor_unavailable`."""


def undecided(
    config: Config,
    listener: AgentListener,
    agents: Mapping[str, Reachable],
    processor: Processor,
    place: Place,
) -> Iterator[Document]:
    """Yield the routes a request has before the decision, and all that hangs on them.

    Only bodies that can be a conversation are waited for: all else is refused at the headers.
    """
    conversations = place.named("undecided", listener.name)
    others = place.named("other", listener.name)
    default = {each.agent: each for each in listener.routes}.get(listener.unasked or "")
    parent = routes.listener_of(place.name, section(listener.name))
    spec: dict[str, Any] = {"requestBuffer": {"limit": config.limits.max_request_bytes}}
    if default is None:
        matches = [routes.conversation(path) for path in names.PATHS]
        rules = [{"matches": matches, "filters": [routes.referred(_nowhere(place))]}]
    else:
        agent = agents[default.agent]
        rules = _to_default_agent(default, agent, conversations)
        spec |= policy(default.to, agent)
        yield routes.rewrite(default.to, conversations, place)
    everything = {"matches": [routes.below("/")], "filters": [routes.referred(_nowhere(place))]}
    yield routes.http_route(conversations, parent, rules, place)
    yield routes.http_route(others, parent, [everything], place)
    own_errors = [
        routes.replaced(413, "request_too_large"),
        routes.replaced(_UNREACHABLE, "processor_unavailable"),
    ]
    yield traffic.document(conversations, place, **spec, responseOverride=own_errors)
    yield traffic.document(others, place, responseOverride=own_errors)
    yield place.document(
        "EnvoyExtensionPolicy",
        place.named("decide", listener.name),
        {
            "targetRefs": [refer("HTTPRoute", conversations), refer("HTTPRoute", others)],
            "extProc": [
                decides(config, listener, processor),
                *([_answers(config, processor)] if _is_filtered(listener) else []),
            ],
        },
    )


def _is_filtered(listener: AgentListener) -> bool:
    return any(route.filtered for route in listener.routes)


def nowhere(place: Place) -> Document:
    """Return what undecided requests of all listeners meet."""
    return routes.nowhere(_nowhere(place), place)


def _nowhere(place: Place) -> str:
    return place.named("nowhere")


def _to_default_agent(to: AgentRoute, agent: Reachable, rewriting: str) -> list[dict[str, Any]]:
    """Return the rules of what the processor could not be asked about."""
    told = {
        names.HEADER_AGENT: to.agent,
        names.HEADER_PLAN: to.agent,
        names.HEADER_SOURCE: Source.FALLBACK.value,
        names.HEADER_STEP: "1/1",
    }
    return [
        {
            "matches": [routes.conversation(path) for path in paths],
            **way(to.to, agent, rewriting, injected, told),
        }
        for paths, injected in agent.by_credentials
    ]


def decides(config: Config, listener: AgentListener, processor: Processor) -> dict[str, Any]:
    """Return the filter that asks the processor about whole requests."""
    return {
        **_asks(config, processor),
        "failOpen": bool(listener.unasked or listener.observed_by),
        "messageTimeout": duration(patience(config, listener)),
        "metadata": {"writableNamespaces": [names.METADATA_NAMESPACE]},
        "processingMode": {"request": {"body": "Buffered"}},
    }


def _answers(config: Config, processor: Processor) -> dict[str, Any]:
    """Return the filter that shows the processor answers as they come."""
    ours = [names.METADATA_NAMESPACE]
    response = {"body": "FullDuplexStreamed", "attributes": [names.ATTRIBUTE_DETAILS]}
    return {
        **_asks(config, processor),
        "failOpen": False,
        "metadata": {"accessibleNamespaces": ours, "writableNamespaces": ours},
        "processingMode": {"response": response},
    }


def _asks(config: Config, processor: Processor) -> dict[str, Any]:
    return {
        "backendRefs": [processor.reference],
        "backendSettings": settings(config.limits.max_request_bytes),
        "statusOnError": _UNREACHABLE,
    }


def patience(config: Config, listener: AgentListener) -> timedelta:
    """Return how long Envoy waits for a decision: for a plan's earlier agents too.

    Envoy Gateway has no field by which the processor could ask for that time when it needs it.
    """
    found = next(each for each in config.listeners if each.name == listener.name)
    longest = max((route.to.timeout for route in listener.routes), default=timedelta())
    steps = earlier_steps(config, found)
    return min(listener.message_timeout + longest * steps, LONGEST_WAIT)


def earlier_steps(config: Config, listener: Listener) -> int:
    """Return how many agents can come before the last one of a plan."""
    if listener.mode == "observe":
        return 0
    ruled = (len(rule.agents) for rule in listener.rules if rule.agents is not None)
    chosen = min(config.orchestrator.max_agents, len(listener.agents))
    return max((chosen, *ruled)) - 1
