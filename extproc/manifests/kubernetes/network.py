"""Who may connect to the pods, and where they may connect to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any, Final

from extproc import address
from extproc.address import is_ip
from extproc.config.model.agents import SERVICE_DOMAIN
from extproc.config.model.deploy import Deploy
from extproc.manifests.kubernetes.calls import Destination, destinations
from extproc.manifests.kubernetes.place import (
    ADMIN_PORT,
    PROCESSOR_PORT,
    allowed_by,
    document,
    metadata,
    selector,
)
from extproc.manifests.source import Source
from extproc.origin import Origin

Peer = dict[str, Any]
Rule = dict[str, Any]

_EVERYWHERE: Final[Peer] = {"namespaceSelector": {}}
_ENVOY_GATEWAY: Final = {
    "app.kubernetes.io/component": "proxy",
    "app.kubernetes.io/managed-by": "envoy-gateway",
}
_GATEWAY_API: Final = "gateway.networking.k8s.io/gateway-name"
"""Label of the pods that Istio runs for a Gateway of the Gateway API."""
_ISTIO_INGRESS: Final = "ingressgateway"
_SIDECARS: Final = "mesh"
_PROMETHEUS: Final = {"app.kubernetes.io/name": "prometheus"}
_DNS: Final = 53
_NAMESPACE: Final = "kubernetes.io/metadata.name"
"""Label that Kubernetes gives each namespace."""

_PRIVATE: Final = {
    "0.0.0.0/0": (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
    ),
    "::/0": ("fc00::/7", "fe80::/10"),
}
"""All addresses, and those that are not public: a cluster's own, and metadata servers."""
_SERVICE: Final = SERVICE_DOMAIN.partition(".")[0]


def network_policy(source: Source) -> dict[str, Any]:
    """Return the policy. Kubernetes lets the probes of a pod's own node pass in any case."""
    deploy = source.config.deploy
    return document(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        metadata(deploy),
        spec={
            "podSelector": {"matchLabels": selector(deploy)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": list(_ingress(deploy)),
            "egress": list(_egress(source)),
        },
    )


def _ingress(deploy: Deploy) -> Iterator[Rule]:
    gateways = (
        _pods(allowed_by(deploy, "client")),
        _pods(_ENVOY_GATEWAY),
        {**_EVERYWHERE, "podSelector": {"matchExpressions": [_exists(_GATEWAY_API)]}},
        _pods(_of_istio(deploy)),
    )
    yield {"from": list(gateways), "ports": [_tcp(PROCESSOR_PORT)]}
    scrapers = (_pods(allowed_by(deploy, "scrape")), _pods(_PROMETHEUS))
    yield {"from": list(scrapers), "ports": [_tcp(ADMIN_PORT)]}


def _of_istio(deploy: Deploy) -> dict[str, str]:
    """Return the label of Istio's gateways, or of its sidecars, as its own target has it."""
    chosen = (deploy.gateway_class or _ISTIO_INGRESS).rpartition("/")[2]
    return {"security.istio.io/tlsMode": "istio"} if chosen == _SIDECARS else {"istio": chosen}


def _egress(source: Source) -> Iterator[Rule]:
    # Resolvers are not pods everywhere: node-local caches have link-local addresses.
    yield {"ports": [{"protocol": "UDP", "port": _DNS}, _tcp(_DNS)]}
    rules = (rule for each in destinations(source.config) for rule in _rules(each, source))
    yield from _unique(rules)


def _rules(destination: Destination, source: Source) -> Iterator[Rule]:
    """Yield what lets pods connect there; nothing where only the user can say what does."""
    origin = destination.origin
    if is_loopback(origin) or not is_spelled_out(origin, source.text):
        return
    if is_ip(origin.host):
        network = ipaddress.ip_network(origin.host)
        yield {"to": [{"ipBlock": {"cidr": str(network)}}], "ports": [_tcp(origin.port)]}
        return
    namespace = _namespace(origin.host, source.config.deploy.namespace)
    if namespace is not None:
        # Not its port: a policy sees that of the pods behind a Service, which nobody told us.
        yield {"to": [{"namespaceSelector": {"matchLabels": {_NAMESPACE: namespace}}}]}
    if is_public(origin):
        blocks = [
            {"ipBlock": {"cidr": cidr, "except": list(private)}}
            for cidr, private in _PRIVATE.items()
        ]
        yield {"to": blocks, "ports": [_tcp(origin.port)]}


def is_loopback(origin: Origin) -> bool:
    """True where a pod would find itself."""
    return address.is_loopback(origin.address.host)


def is_public(origin: Origin) -> bool:
    """True for a name that may be one outside the cluster; `name.namespace` may be both."""
    labels = origin.host.split(".")
    return not is_ip(origin.host) and len(labels) > 1 and _SERVICE not in labels


def _namespace(host: str, own: str) -> str | None:
    """Return the namespace of a Service, by the names that the cluster's DNS knows it under."""
    labels = host.split(".")
    if len(labels) == 1:
        return own
    is_service = len(labels) == 2 or labels[2] == _SERVICE  # noqa: PLR2004 - name and namespace
    return labels[1] if is_service else None


def is_spelled_out(origin: Origin, text: str) -> bool:
    """True where the file has the address itself; one of a variable's value is not rendered."""
    port = origin.port in (80, 443) or str(origin.port) in text
    return port and origin.host.removesuffix(f".{SERVICE_DOMAIN}") in text.lower()


def _pods(labels: dict[str, str]) -> Peer:
    return {**_EVERYWHERE, "podSelector": {"matchLabels": labels}}


def _exists(label: str) -> dict[str, str]:
    return {"key": label, "operator": "Exists"}


def _tcp(port: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}


def _unique(rules: Iterable[Rule]) -> Iterator[Rule]:
    seen: list[Rule] = []
    for rule in rules:
        if rule not in seen:
            seen.append(rule)
            yield rule
