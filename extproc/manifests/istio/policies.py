"""DestinationRules: how the hosts of a service are balanced, limited, watched and spoken to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from extproc.address import is_ip
from extproc.config.model.agents import CircuitBreaker, LoadBalancing, OutlierDetection
from extproc.envoyconf.upstreams import ClientTls, UpstreamCluster
from extproc.manifests.istio.place import Place, duration
from extproc.manifests.istio.services import (
    FIRST,
    GROUP,
    Service,
    is_kubernetes,
    kind_of,
    object_of,
)
from extproc.manifests.source import Document, Unrenderable

SYSTEM: Final = "system"
"""In place of a file of authorities: those of the gateway's own image."""

_LARGEST: Final = 2**31 - 1
_CONNECT_TIMEOUT: Final = timedelta(seconds=5)
_UPSTREAM_IDLE: Final = timedelta(seconds=4)
"""Common servers close idle connections after 5 s: Envoy must be first, or a request meets it."""

_SIMPLE: Final[dict[LoadBalancing, str]] = {
    "round_robin": "ROUND_ROBIN",
    "least_request": "LEAST_REQUEST",
    "random": "RANDOM",
    # Without a header to hash, Envoy draws.
    "ring_hash": "RANDOM",
    "maglev": "RANDOM",
}
_HASHING: Final = {"ring_hash": "ringHash", "maglev": "maglev"}


def rule(
    cluster: UpstreamCluster, service: Service, place: Place, *, affinity: str | None
) -> Document:
    """Return the rule for a cluster; `affinity` is the header by which its hosts are chosen.

    One for a Kubernetes Service is for the gateways alone: others may call it in their own way.
    """
    spec: dict[str, Any] = {"host": service.host}
    spec["trafficPolicy"] = {
        "connectionPool": _connection_pool(cluster.circuit_breaker),
        "loadBalancer": _load_balancer(cluster, affinity),
    }
    detection = _outlier_detection(cluster.outlier_detection)
    if detection is not None:
        spec["trafficPolicy"]["outlierDetection"] = detection
    if cluster.tls is not None:
        spec["trafficPolicy"]["tls"] = _tls(cluster, cluster.tls)
    if is_kubernetes(cluster):
        spec["exportTo"] = place.ingress.export_to
        name = place.named_abroad(*kind_of(cluster))
        return place.document("DestinationRule", name, spec, place.ingress.namespace)
    return place.document("DestinationRule", object_of(cluster, place), spec)


def _connection_pool(breaker: CircuitBreaker) -> dict[str, Any]:
    http = {
        "http1MaxPendingRequests": min(breaker.max_pending_requests, _LARGEST),
        "http2MaxRequests": min(breaker.max_requests, _LARGEST),
        "idleTimeout": duration(_UPSTREAM_IDLE),
    }
    # Without one there is no limit; none at all is said by the route.
    if breaker.max_retries:
        http["maxRetries"] = min(breaker.max_retries, _LARGEST)
    return {
        "tcp": {
            "maxConnections": min(breaker.max_connections, _LARGEST),
            "connectTimeout": duration(_CONNECT_TIMEOUT),
            "tcpKeepalive": {"probes": 3, "time": "30s", "interval": "5s"},
        },
        "http": http,
    }


def _load_balancer(cluster: UpstreamCluster, affinity: str | None) -> dict[str, Any]:
    hashing = _HASHING.get(cluster.load_balancing)
    if hashing is not None and affinity is not None:
        balancer: dict[str, Any] = {"consistentHash": {"httpHeaderName": affinity, hashing: {}}}
    else:
        balancer = {"simple": _SIMPLE[cluster.load_balancing]}
    if len(cluster.groups) > 1:
        balancer["localityLbSetting"] = {
            "enabled": True,
            "failoverPriority": [f"{GROUP}={FIRST}"],
        }
    return balancer


def _outlier_detection(detection: OutlierDetection) -> dict[str, Any] | None:
    """Return detection of gateway errors alone: an agent's own 500 is an answer, not a fault."""
    if not detection.consecutive_gateway_failure:
        return None
    return {
        "consecutiveGatewayErrors": detection.consecutive_gateway_failure,
        "consecutive5xxErrors": 0,
        "interval": duration(detection.interval),
        "baseEjectionTime": duration(detection.base_ejection_time),
        # Zero would be the default of 10; of few hosts Envoy leaves out one in any case.
        "maxEjectionPercent": max(detection.max_ejection_percent, 1),
    }


def _tls(cluster: UpstreamCluster, tls: ClientTls) -> dict[str, Any]:
    host, *others = dict.fromkeys(each.host for each in cluster.hosts)
    if others:
        raise Unrenderable(
            f"agents[{cluster.agent}]: Istio checks one certificate name for all hosts of an "
            f"agent, and these are {', '.join((host, *others))}: make them variants"
        )
    files = {} if tls.ca == SYSTEM else {"caCertificates": tls.ca}
    if tls.certificate is not None and tls.key is not None:
        files |= {"clientCertificate": tls.certificate, "privateKey": tls.key}
    return {
        "mode": "MUTUAL" if "privateKey" in files else "SIMPLE",
        # An IP address is not a server name (RFC 6066, section 3).
        **({} if is_ip(host) else {"sni": host}),
        "subjectAltNames": [host],
        **files,
    }
