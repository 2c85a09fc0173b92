"""The target `istio`: a gateway of the mesh, asked to decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from extproc.address import SocketAddress
from extproc.config.model.root import Config, Tracing
from extproc.envoyconf.build import Places, build
from extproc.envoyconf.render.text import as_json
from extproc.envoyconf.resources.clusters import processor_cluster
from extproc.envoyconf.topology import Topology
from extproc.envoyconf.upstreams import UpstreamCluster
from extproc.manifests.istio import gateways, patches, policies, processor, services
from extproc.manifests.istio.notes import notes
from extproc.manifests.istio.place import Place
from extproc.manifests.istio.routes import (
    Ways,
    egress_routes,
    listener_routes,
    virtual_service,
)
from extproc.manifests.source import Document, Manifests, Source, Unrenderable
from extproc.manifests.variables import Variables
from extproc.origin import Origin, parse_origin

_ADMIN: Final = SocketAddress("127.0.0.1", 15000)
"""Where Istio's Envoys have theirs."""
_CORS: Final = "envoy.filters.http.cors"
_EGRESS: Final = "egress"


@dataclass(frozen=True, slots=True)
class _Work:
    """What all parts are made of."""

    config: Config
    topology: Topology
    place: Place
    ways: Ways
    processor: UpstreamCluster | None
    egress: Origin | None


def render(source: Source) -> Manifests:
    """Return the objects, in the order of their application. Raises `Unrenderable`.

    What takes away what clients forge stands before the routes that believe it.
    """
    work = _prepare(source)
    documents = (
        *_services(work),
        *_policies(work),
        *_patches(work),
        *_gateways(work),
    )
    return Manifests(documents, notes(source, work.place, work.topology))


def _prepare(source: Source) -> _Work:
    config = _expressible(source.config)
    place = Place.of(config.deploy)
    egress = _egress(config)
    places = Places(
        processor.addresses(config.deploy), _ADMIN, egress.address if egress is not None else None
    )
    topology = build(config, places, system_ca=policies.SYSTEM)
    # What is only watched goes where it went before.
    leads = egress is not None or any(each.observed_by is None for each in topology.listeners)
    variables = Variables.of(source)
    secret = {agent.id: variables.among(agent) for agent in config.agents}
    clusters = {
        each.name: replace(each, headers=secret.get(each.agent, ()))
        for each in topology.upstreams
        if leads
    }
    plain = {
        agent.id: {
            name: value for name, value in agent.headers.items() if name not in secret[agent.id]
        }
        for agent in config.agents
    }
    ways = Ways(clusters, place, plain)
    return _Work(config, topology, place, ways, processor.cluster_of(config.deploy), egress)


def _expressible(config: Config) -> Config:
    """Return the configuration without what needs an Envoy of our own: notes say so."""
    agents = tuple(each.model_copy(update={"fallback": None}) for each in config.agents)
    observability = config.observability.model_copy(update={"tokens": False})
    changes = {"agents": agents, "tracing": Tracing(), "observability": observability}
    return config.model_copy(update=changes)


def _egress(config: Config) -> Origin | None:
    url = config.egress.url
    origin = None if url is None else parse_origin(url, api=False)
    if origin is not None and origin.path_prefix:
        raise Unrenderable("egress.url: a path before the paths of targets has no route in Istio")
    return origin


def _services(work: _Work) -> Iterator[Document]:
    for cluster in (*work.ways.clusters.values(), *_of_processor(work)):
        if not services.is_kubernetes(cluster):
            yield services.entry(cluster, work.place)


def _of_processor(work: _Work) -> tuple[UpstreamCluster, ...]:
    return () if work.processor is None else (work.processor,)


def _policies(work: _Work) -> Iterator[Document]:
    affinities = {
        agent.id: agent.session_affinity.header
        for agent in work.config.agents
        if agent.session_affinity is not None
    }
    ruled = (
        each
        for each in work.ways.clusters.values()
        if each.agent or not services.is_kubernetes(each)
    )
    hosts: set[str] = set()
    for service, cluster in services.by_service(ruled, work.place):
        # A rule is for all ports of a host.
        if service.host not in hosts:
            hosts.add(service.host)
            affinity = affinities.get(cluster.agent)
            yield policies.rule(cluster, service, work.place, affinity=affinity)
    tls = work.config.deploy.processor.tls
    if tls is not None and work.processor is not None:
        yield processor.rule(work.processor, tls, work.place)


def _patches(work: _Work) -> Iterator[Document]:
    place, ingress = work.place, work.place.ingress
    clusters = place.named_abroad("clusters")
    yield patches.envoy_filter(clusters, ingress, _of_clusters(work), place)
    asked = None if work.processor is None else services.service_of(work.processor, place)
    for listener in work.topology.listeners:
        name = place.named_abroad("listener", listener.name)
        of = patches.of_listener if listener.observed_by is None else patches.of_observed
        host = gateways.host_of(listener, place)
        at = patches.At(ingress, gateways.port_of(listener), host)
        yield patches.envoy_filter(name, ingress, of(listener, work.topology, asked, at), place)
    if work.egress is not None:
        name = place.named_abroad(_EGRESS)
        yield patches.envoy_filter(name, place.egress, _of_egress(work), place)


def _of_clusters(work: _Work) -> Iterator[patches.Patch]:
    at = patches.At(work.place.ingress)
    if work.processor is None:
        yield patches.of_own_cluster(as_json(processor_cluster(work.topology)), at)
    else:
        service = services.service_of(work.processor, work.place)
        yield patches.of_processor(service, work.topology, at)
    for each in work.config.envoy.clusters:
        yield patches.of_own_cluster(each, at)
    agents = (each for each in work.ways.clusters.values() if each.agent)
    for service, cluster in services.by_service(agents, work.place):
        yield patches.of_cluster(cluster, service, work.topology, at)


def _of_egress(work: _Work) -> Iterator[patches.Patch]:
    listener, egress = work.topology.egress, work.egress
    if listener is None or egress is None:
        return
    at = patches.At(work.place.egress, egress.port)
    yield from patches.of_egress(listener, work.topology, at)
    # The processor sends the keys itself.
    bare = (replace(each, has_key=False, headers=()) for each in work.ways.clusters.values())
    for service, cluster in services.by_service(bare, work.place):
        yield patches.of_cluster(cluster, service, work.topology, at)


def _gateways(work: _Work) -> Iterator[Document]:
    place = work.place
    preflights = _CORS in work.config.envoy.per_route
    for listener in work.topology.listeners:
        if listener.observed_by is None:
            name, host = gateways.name_of(listener, place), gateways.host_of(listener, place)
            routes = listener_routes(listener, work.ways, preflights=preflights)
            yield gateways.entrance(listener, place)
            yield virtual_service(name, host, routes, place)
    out, egress = work.topology.egress, work.egress
    if out is not None and egress is not None:
        name = place.named(_EGRESS)
        mode = "SIMPLE" if egress.tls else None
        yield gateways.gateway(name, egress.port, place.egress, place, tls_mode=mode)
        routes = egress_routes(out, replace(work.ways, headers={}))
        yield virtual_service(name, "*", routes, place)
