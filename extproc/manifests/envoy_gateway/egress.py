"""The way out for the processor's own calls: a Gateway of its own, which is not public.

Who reaches it reaches agents with their keys, and no filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from extproc import names
from extproc.calls import Target
from extproc.config.model.agents import UpstreamTls
from extproc.config.model.root import Config
from extproc.config.targets import filter_targets, targets
from extproc.envoyconf.upstreams import (
    Destination,
    agent_destination,
    target_cluster,
    target_destination,
)
from extproc.manifests.envoy_gateway import routes, traffic
from extproc.manifests.envoy_gateway.agents import Reachable, policy, way
from extproc.manifests.envoy_gateway.backends import upstream
from extproc.manifests.envoy_gateway.objects import GATEWAY_API, Place, refer
from extproc.manifests.source import Document, Unrenderable
from extproc.origin import parse_origin

_SECTION: Final = "calls"
_CALLERS: Final = timedelta()
"""No timeout of Envoy's: each call has the caller's deadline, which ends its stream."""


def egress(
    config: Config, gateway_class: str, agents: Mapping[str, Reachable], place: Place
) -> Iterator[Document]:
    """Yield the Gateway that `egress.url` names, and its routes. Raises `Unrenderable`."""
    if config.egress.url is None:
        return
    yield from _gateway(config.egress.url, config.limits.max_request_bytes, gateway_class, place)
    for target in (*targets(config).values(), *filter_targets(config).values()):
        yield from _to_target(target, place)
    for agent in agents.values():
        yield from _to_agent(agent, place)


def _gateway(url: str, body: int, gateway_class: str, place: Place) -> Iterator[Document]:
    origin = parse_origin(url, api=False)
    if origin.tls or origin.path_prefix:
        raise Unrenderable("egress.url: a Gateway of its own is spoken to in http, without a path")
    name = place.named("egress")
    service = {"type": "ClusterIP", "name": origin.host.partition(".")[0]}
    provider = {"type": "Kubernetes", "kubernetes": {"envoyService": service}}
    yield place.document("EnvoyProxy", name, {"provider": provider})
    yield place.document(
        "Gateway",
        name,
        {
            "gatewayClassName": gateway_class,
            "infrastructure": {"parametersRef": refer("EnvoyProxy", name)},
            "listeners": [
                {
                    "name": _SECTION,
                    "port": origin.port,
                    "protocol": "HTTP",
                    "allowedRoutes": {"namespaces": {"from": "Same"}},
                }
            ],
        },
    )
    yield place.document(
        "ClientTrafficPolicy",
        name,
        {
            "targetRefs": [{"group": GATEWAY_API, "kind": "Gateway", "name": name}],
            # A call's body is kept for a retry.
            "connection": {"bufferLimit": body},
            "headers": {"requestID": "PreserveOrGenerate"},
            "path": {"escapedSlashesAction": "KeepUnchanged"},
            "timeout": {"http": {"streamIdleTimeout": "0s", "requestReceivedTimeout": "0s"}},
        },
    )


def _to_target(target: Target, place: Place) -> Iterator[Document]:
    cluster = target_cluster(target, "")
    found = upstream(cluster, place, "target", target.name, tls=UpstreamTls())
    destination = target_destination(target)
    name = place.named("call", target.name)
    asked = routes.header_is(names.HEADER_TARGET, target.name)
    rule = {
        "matches": [routes.below("/", asked)],
        "filters": [
            routes.referred(name),
            {
                "type": "RequestHeaderModifier",
                "requestHeaderModifier": {"remove": [names.HEADER_TARGET]},
            },
            # By this header the processor knows the gateway's own answers.
            {
                "type": "ResponseHeaderModifier",
                "responseHeaderModifier": {"remove": [names.HEADER_ERROR]},
            },
        ],
        "backendRefs": [dict(each) for each in found.references],
    }
    yield from found.documents
    yield from _route(name, destination, [rule], place)
    yield traffic.document(name, place, **traffic.policy(destination, cluster, failover=False))


def _to_agent(agent: Reachable, place: Place) -> Iterator[Document]:
    destination = agent_destination(agent.agent, _CALLERS)
    # The processor puts the path together.
    to = replace(destination, path_prefix="", timeout=_CALLERS)
    target = f"agent/{agent.agent.id}"
    name = place.named("call", target)
    asked = routes.header_is(names.HEADER_TARGET, target)
    rules = [
        {
            "matches": [
                routes.conversation(destination.path_prefix + path, asked) for path in paths
            ],
            **way(to, agent, name, injected),
        }
        for paths, injected in agent.by_credentials
    ]
    yield from _route(name, to, rules, place)
    yield traffic.document(name, place, **policy(to, agent))


def _route(
    name: str, destination: Destination, rules: list[dict[str, Any]], place: Place
) -> Iterator[Document]:
    parent = routes.listener_of(place.named("egress"), _SECTION)
    yield routes.rewrite(destination, name, place)
    yield routes.http_route(name, parent, rules, place)
