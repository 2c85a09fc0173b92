"""BackendTrafficPolicy: how requests to an agent are tried, limited and balanced."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from extproc.config.model.agents import HealthCheck, LoadBalancing, OutlierDetection, Retries
from extproc.envoyconf.upstreams import Destination, UpstreamCluster
from extproc.manifests.envoy_gateway.objects import Place, duration, refer
from extproc.manifests.source import Document

TRIGGERS: Final = frozenset(
    {
        "5xx",
        "connect-failure",
        "gateway-error",
        "refused-stream",
        "reset",
        "reset-before-request",
        "retriable-4xx",
    }
)
"""Those of Envoy's retry conditions that Envoy Gateway knows."""

_NEVER: Final = 2**31 - 1
_CONNECT_TIMEOUT: Final = timedelta(seconds=5)
_CHECK_TIMEOUT: Final = timedelta(seconds=3)
_UPSTREAM_IDLE: Final = timedelta(seconds=4)
"""Common servers close idle connections after 5 s: Envoy must be first, or a request meets it."""

_BALANCERS: Final[dict[LoadBalancing, str]] = {
    "round_robin": "RoundRobin",
    "least_request": "LeastRequest",
    "random": "Random",
    # Without a header to hash, Envoy draws.
    "ring_hash": "Random",
    "maglev": "Random",
}


def document(route: str, place: Place, **spec: Any) -> Document:  # noqa: ANN401 - of the schema
    """Return the policy of a route, which it is called like."""
    return place.document(
        "BackendTrafficPolicy", route, {"targetRefs": [refer("HTTPRoute", route)], **spec}
    )


def policy(to: Destination, cluster: UpstreamCluster, *, failover: bool) -> dict[str, Any]:
    """Return the policy of the routes to a destination, whose clusters are all like `cluster`."""
    spec: dict[str, Any] = {
        "timeout": {
            "tcp": {"connectTimeout": duration(_CONNECT_TIMEOUT)},
            "http": {
                "requestTimeout": duration(to.timeout),
                "streamIdleTimeout": duration(to.idle_timeout),
                "connectionIdleTimeout": duration(_UPSTREAM_IDLE),
            },
        },
        "tcpKeepalive": {"probes": 3, "idleTime": "30s", "interval": "5s"},
        "circuitBreaker": {
            "maxConnections": cluster.circuit_breaker.max_connections,
            "maxPendingRequests": cluster.circuit_breaker.max_pending_requests,
            "maxParallelRequests": cluster.circuit_breaker.max_requests,
            "maxParallelRetries": cluster.circuit_breaker.max_retries,
        },
        "healthCheck": _health(cluster),
        "loadBalancer": _balancer(to, cluster),
    }
    # Chains of agents are not rendered, so that there is no other kind of retries.
    if isinstance(to.retries, Retries):
        spec |= _retry(to.retries, failover=failover)
    return spec


def _retry(retries: Retries, *, failover: bool) -> dict[str, Any]:
    triggers = [each for each in retries.retry_on if each in TRIGGERS]
    statuses = [each for each in retries.retry_on if isinstance(each, int)]
    limit = retries.per_try_timeout
    each_try = {"perRetry": {"timeout": duration(limit)}} if limit is not None else {}
    if not retries.num_retries or not (triggers or statuses):
        # The only try has its limit all the same.
        return {"retry": {"numRetries": 0, **each_try}} if each_try else {}
    on: dict[str, Any] = {
        "triggers": [*triggers, *(["retriable-status-codes"] if statuses else [])]
    }
    if statuses:
        on["httpStatusCodes"] = statuses
    retry: dict[str, Any] = {"numRetries": retries.num_retries, "retryOn": on, **each_try}
    if failover:
        retry["numAttemptsPerPriority"] = 1
    return {"retry": retry}


def _balancer(to: Destination, cluster: UpstreamCluster) -> dict[str, Any]:
    if to.affinity is None:
        return {"type": _BALANCERS[cluster.load_balancing]}
    hashed = {"type": "Header", "header": {"name": to.affinity}}
    return {"type": "ConsistentHash", "consistentHash": hashed}


def _health(cluster: UpstreamCluster) -> dict[str, Any]:
    # While one host is healthy no sick one gets requests; when none is, all are tried.
    health: dict[str, Any] = {"panicThreshold": 1}
    if cluster.health_check is not None:
        health["active"] = _active(cluster.health_check, cluster.hosts[0].host)
    detection = cluster.outlier_detection
    if detection.consecutive_gateway_failure and detection.max_ejection_percent:
        health["passive"] = _passive(detection)
    return health


def _active(check: HealthCheck, host: str) -> dict[str, Any]:
    return {
        "type": "HTTP",
        "http": {
            "path": check.path,
            "method": "GET",
            "expectedStatuses": [200],
            **({} if ":" in host else {"hostname": host.lower()}),
        },
        "interval": duration(check.interval),
        "timeout": duration(min(check.interval, _CHECK_TIMEOUT)),
        "unhealthyThreshold": 2,
        "healthyThreshold": 1,
    }


def _passive(detection: OutlierDetection) -> dict[str, Any]:
    """Return detection of gateway errors alone: an agent's own 500 is an answer, not a fault."""
    return {
        "consecutiveGatewayErrors": min(detection.consecutive_gateway_failure, _NEVER),
        "consecutive5XxErrors": _NEVER,
        "interval": duration(detection.interval),
        "baseEjectionTime": duration(detection.base_ejection_time),
        "maxEjectionPercent": detection.max_ejection_percent,
    }
