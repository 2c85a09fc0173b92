"""Puts the objects for Envoy Gateway together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from extproc.address import SocketAddress
from extproc.config.model.root import Config
from extproc.envoyconf.build import Places, build
from extproc.envoyconf.topology import AgentListener, Topology
from extproc.manifests.envoy_gateway.agents import Reachable, agent_route, reachable
from extproc.manifests.envoy_gateway.decision import nowhere, undecided
from extproc.manifests.envoy_gateway.egress import egress
from extproc.manifests.envoy_gateway.gateway import (
    DEFAULT_CLASS,
    client_policy,
    gateway,
    gateway_class,
)
from extproc.manifests.envoy_gateway.notes import notes
from extproc.manifests.envoy_gateway.objects import Place
from extproc.manifests.envoy_gateway.observing import observed
from extproc.manifests.envoy_gateway.patches import patch_policies
from extproc.manifests.envoy_gateway.processor import certificate_route, processor
from extproc.manifests.source import Document, Manifests, Source, Unrenderable
from extproc.manifests.variables import Variables

_ELSEWHERE = SocketAddress("127.0.0.1", 0)
"""Envoy's admin address is Envoy Gateway's affair."""


def render(source: Source) -> Manifests:
    """Return what Envoy Gateway needs for a configuration.

    Raises `Unrenderable` for what it cannot do, and what must not be left out.
    """
    config = source.config
    _check(config)
    place = Place.of(config.deploy)
    topology = build(config, Places((), _ELSEWHERE))
    agents = _reachable(source, topology, place)
    documents = tuple(_unique(_documents(config, topology, agents, place)))
    return Manifests(documents, tuple(notes(config, agents, place)))


def _reachable(source: Source, topology: Topology, place: Place) -> dict[str, Reachable]:
    """Prepare the agents that something leads to."""
    config = source.config
    variables = Variables.of(source)
    tell = config.observability.response_headers == "full"
    led_to = {route.agent for each in _enforced(topology) for route in each.routes}
    return {
        agent.id: reachable(agent, place, variables, tell=tell)
        for agent in config.agents
        if agent.id in led_to or config.egress.url is not None
    }


def _enforced(topology: Topology) -> tuple[AgentListener, ...]:
    return tuple(each for each in topology.listeners if each.observed_by is None)


def _check(config: Config) -> None:
    filters = config.envoy.http_filters
    if filters.before_decision or filters.after_decision:
        raise Unrenderable(
            "envoy.http_filters: Envoy Gateway has policies for these, and nothing for filters as "
            "Envoy writes them: see docs/deploy/envoy-gateway.md"
        )


def _documents(
    config: Config, topology: Topology, agents: Mapping[str, Reachable], place: Place
) -> Iterator[Document]:
    chosen = config.deploy.gateway_class or DEFAULT_CLASS
    asked = processor(config.deploy, place)
    enforced = _enforced(topology)
    if config.deploy.gateway_class is None and (enforced or config.egress.url is not None):
        yield gateway_class(place)
    yield from asked.documents
    for agent in agents.values():
        yield from agent.documents(place)
    if enforced:
        yield gateway(chosen, enforced, place, asked.of_gateway)
        yield from certificate_route(asked, enforced[0].name, place)
        yield nowhere(place)
    for listener in enforced:
        told = config.observability.response_headers
        yield client_policy(listener, topology.limits, told, place)
        yield from undecided(config, listener, agents, asked, place)
        for route in listener.routes:
            yield from agent_route(listener, route, agents[route.agent], place)
    for listener in topology.listeners:
        if listener.observed_by is not None:
            yield from observed(config, listener, asked, place)
    yield from egress(config, chosen, agents, place)
    yield from patch_policies(config, enforced, place)


def _unique(documents: Iterable[Document]) -> Iterator[Document]:
    """Leave out what several agents have in common, such as leave to refer to one Service."""
    seen = set()
    for document in documents:
        about = document["metadata"]
        key = (document["kind"], about.get("namespace"), about["name"])
        if key not in seen:
            yield document
        seen.add(key)
