"""The ways to agents: reached by what the processor has decided, and not without."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import lcm
from types import MappingProxyType
from typing import Any, Final

from extproc import names
from extproc.config.model.agents import Agent
from extproc.envoyconf.topology import AgentListener, AgentRoute
from extproc.envoyconf.upstreams import Copies, Destination, UpstreamCluster, agent_clusters
from extproc.envoyconf.upstreams import mirror_cluster as cluster_of_copies
from extproc.forwarding import CREDENTIALS
from extproc.manifests.envoy_gateway import routes, traffic
from extproc.manifests.envoy_gateway.backends import Upstream, service, upstream
from extproc.manifests.envoy_gateway.credentials import Injection, injections
from extproc.manifests.envoy_gateway.objects import Place, section
from extproc.manifests.source import Document, Unrenderable
from extproc.manifests.variables import Variables

_VALUE: Final = re.compile(r"[!-~]+([\t ]?[!-~]+)*")
_MOST_HEADERS: Final = 16
_NOT_FOR_AGENTS: Final = ("x-envoy-internal", names.HEADER_TARGET)
"""Envoy's own note on the client's address, and ours on the route."""


@dataclass(frozen=True, slots=True)
class Reachable:
    """An agent with all that its routes need; the same for every listener.

    `upstreams` are its variants, or itself alone under an empty name, `copies` where copies go.
    `headers` are those of its own that may stand in a manifest. Clients are told which variant
    answered where `tells_variant`.
    """

    agent: Agent
    cluster: UpstreamCluster
    upstreams: Mapping[str, Upstream]
    copies: Upstream | None
    injections: tuple[Injection, ...]
    headers: Mapping[str, str] = field(repr=False)
    failover: bool
    tells_variant: bool

    def documents(self, place: Place) -> Iterator[Document]:
        """Yield the objects that routes refer to."""
        for each in (*self.upstreams.values(), *([self.copies] if self.copies else [])):
            yield from each.documents
        for injection in self.injections:
            yield injection.document(place)

    @property
    def by_credentials(self) -> Sequence[tuple[Sequence[str], Sequence[Injection]]]:
        """Which paths have which injections."""
        if not self.injections:
            return [(names.PATHS, ())]
        return [(each.paths, (each,)) for each in self.injections]


def reachable(agent: Agent, place: Place, variables: Variables, *, tell: bool) -> Reachable:
    """Prepare an agent. Raises `Unrenderable` for what Envoy Gateway cannot do for it."""
    if agent.cluster is not None:
        raise Unrenderable(
            f"agents[{agent.id}].cluster: Envoy Gateway names its clusters itself: say `service`, "
            "or `url`"
        )
    clusters = agent_clusters(agent, "")
    injected = injections(agent, place, variables)
    # Backends with filters are clusters of their own, and a fallback is one of the same cluster.
    failover = not injected and agent.variants is None
    secret = variables.among(agent)
    copies = cluster_of_copies(agent, "")
    return Reachable(
        agent=agent,
        cluster=clusters[0],
        upstreams={
            each.variant: _upstream(agent, each, place, failover=failover) for each in clusters
        },
        copies=upstream(copies, place, "mirror", agent.id, tls=agent.tls) if copies else None,
        injections=injected,
        headers={
            name: _value(agent.id, name, value)
            for name, value in agent.headers.items()
            if name not in secret
        },
        failover=failover and any(len(each.groups) > 1 for each in clusters),
        tells_variant=tell,
    )


def _upstream(agent: Agent, cluster: UpstreamCluster, place: Place, *, failover: bool) -> Upstream:
    if agent.service is not None:
        return service(agent.service, place)
    parts = ("variant", agent.id, cluster.variant) if cluster.variant else ("agent", agent.id)
    return upstream(cluster, place, *parts, tls=agent.tls, failover=failover)


def _value(agent: str, header: str, value: str) -> str:
    if _VALUE.fullmatch(value) is None:
        raise Unrenderable(
            f"agents[{agent}].headers.{header}: the Gateway API has no header values but words in "
            "ASCII with one blank between them"
        )
    # Envoy Gateway hands values on as formats of Envoy's.
    return value.replace("%", "%%")


def agent_route(
    listener: AgentListener, route: AgentRoute, agent: Reachable, place: Place
) -> Iterator[Document]:
    """Yield the route from one listener to one agent, and what goes with it."""
    name = place.named("route", listener.name, route.agent)
    decided = routes.header_is(names.HEADER_AGENT, route.agent)
    # Filters must be able to read the answer.
    readable = {"accept-encoding": "identity"} if route.filtered else {}
    rules = [
        {
            "matches": [routes.conversation(path, decided) for path in paths],
            **way(route.to, agent, name, injected, readable),
        }
        for paths, injected in agent.by_credentials
    ]
    parent = routes.listener_of(place.name, section(listener.name))
    yield routes.rewrite(route.to, name, place)
    yield routes.http_route(name, parent, rules, place)
    yield traffic.document(name, place, **policy(route.to, agent))


def policy(destination: Destination, agent: Reachable) -> dict[str, Any]:
    """Return the traffic policy of a way to an agent."""
    return traffic.policy(destination, agent.cluster, failover=agent.failover)


def way(
    destination: Destination,
    agent: Reachable,
    rewriting: str,
    injected: Iterable[Injection] = (),
    told: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return filters and backends of a rule; `rewriting` is the filter of host and path.

    `told` are headers that the agent gets beside its own. Raises `Unrenderable` for too many.
    """
    headers = {**told, **agent.headers}
    if len(headers) > _MOST_HEADERS:
        raise Unrenderable(
            f"agents[{agent.agent.id}].headers: a route sets {_MOST_HEADERS} headers at most"
        )
    removed = () if destination.forward_authorization else CREDENTIALS
    requests: dict[str, Any] = {"remove": [*_NOT_FOR_AGENTS, *removed]}
    if headers:
        requests["set"] = [{"name": name, "value": value} for name, value in headers.items()]
    filters = [
        routes.referred(rewriting),
        {"type": "RequestHeaderModifier", "requestHeaderModifier": requests},
        # What an agent says itself must not pass for ours.
        _answers(remove=[each for each in names.RESPONSE_HEADERS if _is_routes(each, agent)]),
        *(_mirror(destination.copies, copies) for copies in [agent.copies] if copies),
    ]
    return {"filters": filters, "backendRefs": list(_backends(agent, injected))}


def _is_routes(header: str, agent: Reachable) -> bool:
    """Tell whether the route takes a header away, and not each backend of its own."""
    return header != names.HEADER_VARIANT or agent.agent.variants is None


def _answers(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - of the schema
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": changes}


def _mirror(copies: Copies | None, upstreams: Upstream) -> dict[str, Any]:
    (reference,) = upstreams.references
    backend = {name: value for name, value in reference.items() if name != "weight"}
    mirror: dict[str, Any] = {"backendRef": backend}
    if copies is not None:
        mirror["fraction"] = {"numerator": round(copies.percent * 10_000), "denominator": 1_000_000}
    return {"type": "RequestMirror", "requestMirror": mirror}


def _backends(agent: Reachable, injected: Iterable[Injection]) -> Iterator[dict[str, Any]]:
    added = [each.reference() for each in injected]
    weights = {each.id: each.weight for each in agent.agent.variants or ()}
    hosts = {
        name: sum(each["weight"] for each in found.references)
        for name, found in agent.upstreams.items()
        if len(found.references) > 1
    }
    common = lcm(*hosts.values())
    for variant, found in agent.upstreams.items():
        # What has filters of its own is a cluster of its own, as variants must be.
        filters = [*added, _variant(variant, tell=agent.tells_variant)] if variant else added
        for reference in found.references:
            backend = dict(reference)
            if variant:
                part = reference["weight"] if variant in hosts else 1
                backend["weight"] = weights[variant] * part * common // hosts.get(variant, 1)
            yield {**backend, "filters": filters} if filters else backend


def _variant(variant: str, *, tell: bool) -> dict[str, Any]:
    if tell:
        return _answers(set=[{"name": names.HEADER_VARIANT, "value": variant}])
    return _answers(remove=[names.HEADER_VARIANT])
