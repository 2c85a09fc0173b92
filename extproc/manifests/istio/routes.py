"""VirtualServices: from a gateway to agents, and nowhere without a decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from extproc import names
from extproc.apis.errors import error_body
from extproc.config.model.agents import Retries
from extproc.envoyconf.resources.destinations import removed_headers
from extproc.envoyconf.topology import API_ROOT, AgentListener, AgentRoute, EgressListener
from extproc.envoyconf.upstreams import Destination, Share, UpstreamCluster
from extproc.errors import GATEWAY_ERRORS, Reject
from extproc.manifests.istio.place import DOMAIN, Place, duration
from extproc.manifests.istio.services import Service, named, service_of
from extproc.manifests.source import Document
from extproc.plan import Source

Route = dict[str, Any]

UNASKED: Final = "unasked"
UNDECIDED: Final = "undecided"
ELSEWHERE: Final = "elsewhere"
"""Names of the routes of what no agent has been chosen for: patches know them by these."""
PREFLIGHT: Final = "preflight"

_NO_ROUTE: Final = GATEWAY_ERRORS["no_route"]
_CLIENTS_ADDRESS: Final = "x-envoy-internal"
"""Envoy's own note on the client's address, which says nothing to an agent."""
_NOWHERE: Final = Service(f"nowhere.{DOMAIN}", 80)


@dataclass(frozen=True, slots=True)
class Ways:
    """How routes reach clusters: by their names, and the headers that agents get beside."""

    clusters: Mapping[str, UpstreamCluster]
    place: Place
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def service(self, cluster: str, agent: str) -> Service:
        """Return the service of a cluster of ours, or of the mesh. Raises `Unrenderable`."""
        ours = self.clusters.get(cluster)
        return named(cluster, agent) if ours is None else service_of(ours, self.place)


def agent_name(agent: str) -> str:
    """Return the name of the route to an agent: the one that it has in every target."""
    return f"agent/{agent}"


def listener_routes(listener: AgentListener, ways: Ways, *, preflights: bool) -> Iterator[Route]:
    """Yield the routes of one listener, those of decided requests first.

    With `preflights` those of CORS pass the filter that answers them: by a direct response they
    would go past it.
    """
    for each in listener.routes:
        yield _to_agent(each, ways)
    unasked = next((each for each in listener.routes if each.agent == listener.unasked), None)
    for path in names.PATHS:
        if unasked is not None:
            yield _to_default_agent(path, unasked, ways)
        else:
            yield {"name": UNDECIDED, "match": [_conversation(path)], **_refused(path)}
    if preflights:
        destination = {"destination": _NOWHERE.destination}
        yield {
            "name": PREFLIGHT,
            "match": [{"method": {"exact": "OPTIONS"}}],
            "route": [destination],
            "retries": {"attempts": 0},
        }
    yield {"name": ELSEWHERE, **_refused(names.PATH_CHAT)}


def egress_routes(listener: EgressListener, ways: Ways) -> Iterator[Route]:
    """Yield the routes to what the processor calls."""
    for each in listener.routes:
        route = _forwarded(each.to, ways, each.target)
        route["headers"]["request"]["remove"] += [names.HEADER_TARGET]
        match = {
            "uri": {"prefix": each.path},
            "headers": {names.HEADER_TARGET: {"exact": each.target}},
        }
        yield {"name": f"target/{each.target}", "match": [match], **route}


def virtual_service(name: str, host: str, routes: Iterator[Route], place: Place) -> Document:
    """Return the routes of one host: those of the Gateway of that name, where it is any."""
    gateway = f"{place.namespace}/{name}" if host == "*" else "mesh"
    spec = {"hosts": [host], "gateways": [gateway], "http": list(routes)}
    return place.document("VirtualService", name, spec)


def _to_agent(route_to: AgentRoute, ways: Ways) -> Route:
    match = {
        "uri": {"prefix": API_ROOT},
        "headers": {names.HEADER_AGENT: {"exact": route_to.agent}},
    }
    route = _forwarded(route_to.to, ways, route_to.agent, matched=API_ROOT)
    if route_to.filtered:
        # Filters must be able to read the answer.
        route["headers"]["request"].setdefault("set", {})["accept-encoding"] = "identity"
    return {"name": agent_name(route_to.agent), "match": [match], **route}


def _to_default_agent(path: str, to: AgentRoute, ways: Ways) -> Route:
    """Return the route of what the processor could not be asked about; all else is routed anew."""
    route = _forwarded(to.to, ways, to.agent, matched=path)
    told = {
        names.HEADER_AGENT: to.agent,
        names.HEADER_PLAN: to.agent,
        names.HEADER_SOURCE: Source.FALLBACK.value,
        names.HEADER_STEP: "1/1",
    }
    request = route["headers"]["request"]
    request["set"] = {**request.get("set", {}), **told}
    return {"name": UNASKED, "match": [_conversation(path)], **route}


def _conversation(path: str) -> dict[str, Any]:
    return {"uri": {"exact": path}, "method": {"exact": "POST"}}


def _refused(path: str) -> Route:
    reject = Reject(_NO_ROUTE.status, _NO_ROUTE.code, _NO_ROUTE.message)
    told = {"content-type": "application/json", names.HEADER_ERROR: _NO_ROUTE.code}
    return {
        "directResponse": {
            "status": _NO_ROUTE.status,
            "body": {"string": error_body(path, reject).decode()},
        },
        "headers": {"response": {"set": told}},
    }


def _forwarded(to: Destination, ways: Ways, agent: str, *, matched: str = "") -> Route:
    """Return the way to a destination.

    `matched` is the path of a client's request before which the destination's own prefix goes.
    """
    added = {name: value.replace("%", "%%") for name, value in ways.headers.get(agent, {}).items()}
    request: dict[str, Any] = {"remove": [*removed_headers(to), _CLIENTS_ADDRESS]}
    if added:
        request["set"] = added
    if matched:
        request["add"] = {"x-forwarded-host": "%REQ(:authority)%"}
    headers: dict[str, Any] = {"request": request}
    if to.foreign:
        # Our own clusters drop all of them, by a filter.
        headers["response"] = {"remove": list(names.RESPONSE_HEADERS)}
    route: Route = {
        "route": [_share(share, to, ways, agent) for share in to.shares],
        "headers": headers,
        "retries": _retries(to, ways),
    }
    rewrite = _rewrite(to, matched)
    if rewrite:
        route["rewrite"] = rewrite
    # Without one Istio sets none either.
    if to.timeout:
        route["timeout"] = duration(to.timeout)
    if to.copies is not None:
        mirror = ways.service(to.copies.cluster, agent).destination
        route["mirrors"] = [{"destination": mirror, "percentage": {"value": to.copies.percent}}]
    return route


def _share(share: Share, to: Destination, ways: Ways, agent: str) -> dict[str, Any]:
    destination: dict[str, Any] = {"destination": ways.service(share.cluster, agent).destination}
    if len(to.shares) > 1:
        destination["weight"] = share.weight
        if to.own_authorities and share.authority:
            destination["headers"] = {"request": {"set": {":authority": share.authority}}}
    return destination


def _rewrite(to: Destination, matched: str) -> dict[str, str]:
    rewrite = {}
    if to.path_prefix and matched:
        rewrite["uri"] = to.path_prefix + matched
    authority = to.shares[0].authority
    if authority and not to.own_authorities:
        rewrite["authority"] = authority
    return rewrite


def _retries(to: Destination, ways: Ways) -> dict[str, Any]:
    """Return when a request is tried again: said also where it is not, as Istio would."""
    retries = to.retries if isinstance(to.retries, Retries) else Retries()
    limits = [
        ways.clusters[share.cluster].circuit_breaker.max_retries
        for share in to.shares
        if share.cluster in ways.clusters
    ]
    if not retries.num_retries or not retries.retry_on or 0 in limits:
        return {"attempts": 0}
    policy: dict[str, Any] = {
        "attempts": retries.num_retries,
        "retryOn": ",".join(map(str, retries.retry_on)),
        "retryIgnorePreviousHosts": True,
    }
    if retries.per_try_timeout is not None:
        policy["perTryTimeout"] = duration(retries.per_try_timeout)
    if to.failover:
        policy["retryRemoteLocalities"] = True
    return policy
