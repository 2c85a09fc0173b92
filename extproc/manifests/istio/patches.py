"""Patches of an EnvoyFilter, made of the same resources that `up` runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from extproc.envoyconf.render.own import put_in
from extproc.envoyconf.render.text import as_json
from extproc.envoyconf.resources import attachment
from extproc.envoyconf.resources.clusters import processor_cluster, upstream_cluster
from extproc.envoyconf.resources.egress import egress_listener
from extproc.envoyconf.resources.http_filters import buffer_disabled, router_filter
from extproc.envoyconf.resources.listeners import agent_listener
from extproc.envoyconf.resources.routes import route_configuration
from extproc.envoyconf.topology import PROCESSOR_CLUSTER, AgentListener, EgressListener, Topology
from extproc.envoyconf.upstreams import UpstreamCluster
from extproc.manifests.istio.place import Place, Workload
from extproc.manifests.istio.routes import ELSEWHERE
from extproc.manifests.istio.services import Service
from extproc.manifests.source import Document

Patch = dict[str, Any]

_MANAGER: Final = "envoy.filters.network.http_connection_manager"
_ROUTER: Final = "envoy.filters.http.router"

_NOT_OURS: Final = frozenset(
    {
        *("@type", "codec_type", "stat_prefix", "rds", "route_config", "http_filters"),
        *("access_log", "tracing"),
    }
)
"""Of a connection manager: what Istio settles, and filters, which go in one by one."""
_FOR_OUR_LOG: Final = frozenset(
    ("envoy.filters.http.header_to_metadata", "envoy.filters.http.set_filter_state")
)
_LIMIT: Final = "per_connection_buffer_limit_bytes"
_OF_CLUSTERS: Final = (
    "metadata",
    "health_checks",
    "ignore_health_on_host_removal",
    "typed_extension_protocol_options",
)
"""Of an agent's cluster: what a DestinationRule has no field for."""
_OF_THE_PROCESSOR: Final = (
    _LIMIT,
    "common_lb_config",
    "health_checks",
    "typed_extension_protocol_options",
)


@dataclass(frozen=True, slots=True)
class At:
    """Envoys of one kind, a port that they listen on, and the host that is asked for there."""

    workload: Workload
    port: int = 0
    host: str = "*"

    def match(self, kind: str, **what: Any) -> dict[str, Any]:  # noqa: ANN401 - of the schema
        """Return a match of what Istio makes for these Envoys."""
        return {"context": self.workload.context, kind: what}


def envoy_filter(name: str, workload: Workload, patches: Iterator[Patch], place: Place) -> Document:
    """Return the patches for the pods of one gateway, or for all sidecars of a namespace."""
    spec: dict[str, Any] = {"configPatches": list(patches)}
    if not workload.is_sidecar:
        spec["workloadSelector"] = {"labels": workload.labels}
    return place.document("EnvoyFilter", name, spec, workload.namespace)


def of_listener(
    listener: AgentListener, topology: Topology, processor: Service | None, at: At
) -> Iterator[Patch]:
    """Yield what makes a port of a gateway a listener of ours."""
    rendered = put_in(as_json(agent_listener(listener, topology)), topology.own)
    *before, manager = rendered["filter_chains"][0]["filters"]
    yield _listener(at, _merge({_LIMIT: rendered[_LIMIT]}))
    for each in before:
        yield _network_filter(at, {"operation": "INSERT_BEFORE", "value": each})
    yield _network_filter(at, _merge(_settings(manager)))
    filters = manager["typed_config"]["http_filters"]
    yield from _inserted(at, filters, processor)
    yield _http_filter(at, _merge(as_json(router_filter())))
    yield from _of_routes(listener, topology, at)


def of_observed(
    listener: AgentListener, topology: Topology, processor: Service | None, at: At
) -> Iterator[Patch]:
    """Yield what lets decisions be watched on routes of others, those called like the listener."""
    limits = topology.limits
    yield _listener(at, _merge({_LIMIT: limits.max_request_bytes}))
    stripping = {"early_header_mutation_extensions": [as_json(attachment.stripping(listener))]}
    yield _network_filter(at, _merge(_manager(stripping)))
    filters = [as_json(each) for each in attachment.attached_filters(listener, topology)]
    chain = put_in({"http_filters": filters}, topology.own)
    yield from _inserted(at, chain["http_filters"], processor)
    enabled = attachment.filters_on(listener, limits)
    value = {"typed_per_filter_config": {name: as_json(each) for name, each in enabled.items()}}
    yield _route(at, listener.name, value)


def of_egress(listener: EgressListener, topology: Topology, at: At) -> Iterator[Patch]:
    """Yield what makes a port of a gateway the way out for the processor's calls."""
    rendered = as_json(egress_listener(listener, topology))
    (manager,) = rendered["filter_chains"][0]["filters"]
    yield _listener(at, _merge({_LIMIT: rendered[_LIMIT]}))
    settings = _settings(manager)
    # Only where an agent takes over for another, which needs our own Envoy.
    del settings["typed_config"]["early_header_mutation_extensions"]
    yield _network_filter(at, _merge(settings))
    yield _http_filter(at, _merge(as_json(router_filter())))


def of_cluster(cluster: UpstreamCluster, service: Service, topology: Topology, at: At) -> Patch:
    """Return what a DestinationRule cannot say of an agent's cluster."""
    rendered = as_json(upstream_cluster(cluster, topology.folder))
    return _cluster(at, service, {key: rendered[key] for key in _OF_CLUSTERS if key in rendered})


def of_processor(service: Service, topology: Topology, at: At) -> Patch:
    """Return how the processor's workers are watched, and how large a body they get."""
    rendered = as_json(processor_cluster(topology))
    return _cluster(at, service, {key: rendered[key] for key in _OF_THE_PROCESSOR})


def of_own_cluster(cluster: Mapping[str, Any], at: At) -> Patch:
    """Return a cluster of the user's own."""
    return {
        "applyTo": "CLUSTER",
        "match": {"context": at.workload.context},
        "patch": {"operation": "ADD", "value": dict(cluster)},
    }


def _of_routes(listener: AgentListener, topology: Topology, at: At) -> Iterator[Patch]:
    (host,) = put_in(as_json(route_configuration(listener)), topology.own)["virtual_hosts"]
    if "typed_per_filter_config" in host:
        value = {"typed_per_filter_config": host["typed_per_filter_config"]}
        yield {
            "applyTo": "VIRTUAL_HOST",
            "match": at.match(
                "routeConfiguration",
                portNumber=at.port,
                vhost={"name": f"{at.host}:{at.port}"},
            ),
            "patch": _merge(value),
        }
    by_name = {each["name"]: each for each in host["routes"] if each.get("name")}
    for name, route in by_name.items():
        value = _beside_virtual_service(route)
        if value:
            yield _route(at, name, value)
    disabled = {name: as_json(each) for name, each in buffer_disabled().items()}
    yield _route(at, ELSEWHERE, {"typed_per_filter_config": disabled})


def _beside_virtual_service(route: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a route that a VirtualService has no field for."""
    action = route["route"]
    part: dict[str, Any] = {
        key: action[key] for key in ("idle_timeout", "hash_policy") if action.get(key)
    }
    if action.get("weighted_clusters", {}).get("use_hash_policy"):
        part["weighted_clusters"] = {"use_hash_policy": True}
    retries = action.get("retry_policy", {})
    if retries and not retries.get("num_retries"):
        part["retry_policy"] = retries
    value = {"route": part} if part else {}
    per_filter = route.get("typed_per_filter_config")
    return value | ({"typed_per_filter_config": per_filter} if per_filter else {})


def _inserted(at: At, filters: list[dict[str, Any]], processor: Service | None) -> Iterator[Patch]:
    """Yield filters in their order: each one goes to the router's side of those before it."""
    for each in filters:
        if each["name"] != _ROUTER and each["name"] not in _FOR_OUR_LOG:
            value = each if processor is None else _asking(each, processor)
            yield _http_filter(at, {"operation": "INSERT_BEFORE", "value": value})


def _asking(value: Any, processor: Service) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return a filter that calls the processor by the name that it has in the mesh."""
    if isinstance(value, list):
        return [_asking(each, processor) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("cluster_name") == PROCESSOR_CLUSTER:
        # By default the authority is the cluster's name, which no host may have.
        return {**value, "cluster_name": processor.cluster, "authority": processor.host}
    return {key: _asking(inner, processor) for key, inner in value.items()}


def _settings(manager: Mapping[str, Any]) -> dict[str, Any]:
    config = manager["typed_config"]
    return _manager({key: config[key] for key in config if key not in _NOT_OURS})


def _manager(settings: Mapping[str, Any]) -> dict[str, Any]:
    kind = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    return {
        "name": _MANAGER,
        "typed_config": {"@type": f"type.googleapis.com/{kind}", **settings},
    }


def _merge(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"operation": "MERGE", "value": dict(value)}


def _listener(at: At, patch: Patch) -> Patch:
    match = at.match("listener", portNumber=at.port)
    return {"applyTo": "LISTENER", "match": match, "patch": patch}


def _network_filter(at: At, patch: Patch) -> Patch:
    return _of_manager("NETWORK_FILTER", at, {"name": _MANAGER}, patch)


def _http_filter(at: At, patch: Patch) -> Patch:
    inner = {"name": _MANAGER, "subFilter": {"name": _ROUTER}}
    return _of_manager("HTTP_FILTER", at, inner, patch)


def _of_manager(apply_to: str, at: At, inner: Mapping[str, Any], patch: Patch) -> Patch:
    match = at.match("listener", portNumber=at.port, filterChain={"filter": inner})
    return {"applyTo": apply_to, "match": match, "patch": patch}


def _route(at: At, name: str, value: Mapping[str, Any]) -> Patch:
    match = at.match("routeConfiguration", portNumber=at.port, vhost={"route": {"name": name}})
    return {"applyTo": "HTTP_ROUTE", "match": match, "patch": _merge(value)}


def _cluster(at: At, service: Service, value: Mapping[str, Any]) -> Patch:
    match = at.match("cluster", name=service.cluster)
    return {"applyTo": "CLUSTER", "match": match, "patch": _merge(value)}
