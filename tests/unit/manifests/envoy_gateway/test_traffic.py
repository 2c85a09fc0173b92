from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.manifests.envoy_gateway.conftest import Rendered

    Render = Callable[..., Rendered]

ROUTE = "outerloop-route-travel-a"


@pytest.fixture
def policy(rendered: Render) -> Callable[..., Any]:
    """Return the policy of the way to an agent with these keys."""

    def find(**keys: Any) -> Any:
        found = rendered({"id": "a", "url": "http://10.0.0.1", **keys})
        return found.spec("BackendTrafficPolicy", ROUTE)

    return find


def test_defaults(policy: Callable[..., Any]) -> None:
    assert policy() == {
        "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": ROUTE}],
        "timeout": {
            "tcp": {"connectTimeout": "5s"},
            "http": {
                "requestTimeout": "5m",
                "streamIdleTimeout": "5m",
                "connectionIdleTimeout": "4s",
            },
        },
        "tcpKeepalive": {"probes": 3, "idleTime": "30s", "interval": "5s"},
        "circuitBreaker": {
            "maxConnections": 4096,
            "maxPendingRequests": 4096,
            "maxParallelRequests": 4096,
            "maxParallelRetries": 1024,
        },
        "healthCheck": {
            "panicThreshold": 1,
            "passive": {
                "consecutiveGatewayErrors": 5,
                "consecutive5XxErrors": 2**31 - 1,
                "interval": "10s",
                "baseEjectionTime": "30s",
                "maxEjectionPercent": 100,
            },
        },
        "loadBalancer": {"type": "LeastRequest"},
        "retry": {
            "numRetries": 1,
            "retryOn": {"triggers": ["connect-failure", "refused-stream", "reset-before-request"]},
        },
    }


@pytest.mark.parametrize(
    ("retries", "rendered_as"),
    [
        (
            {"num_retries": 2, "retry_on": ["reset", 503, 429], "per_try_timeout": "1500ms"},
            {
                "numRetries": 2,
                "retryOn": {
                    "triggers": ["reset", "retriable-status-codes"],
                    "httpStatusCodes": [503, 429],
                },
                "perRetry": {"timeout": "1s500ms"},
            },
        ),
        # Without `triggers` Envoy Gateway would have some of its own.
        (
            {"retry_on": [503]},
            {
                "numRetries": 1,
                "retryOn": {"triggers": ["retriable-status-codes"], "httpStatusCodes": [503]},
            },
        ),
        ({"num_retries": 0}, None),
        ({"retry_on": []}, None),
        ({"retry_on": ["envoy-ratelimited"]}, None),
        (
            {"num_retries": 0, "per_try_timeout": "9s"},
            {"numRetries": 0, "perRetry": {"timeout": "9s"}},
        ),
    ],
)
def test_retries(
    policy: Callable[..., Any], retries: dict[str, Any], rendered_as: dict[str, Any] | None
) -> None:
    assert policy(retries=retries).get("retry") == rendered_as


def test_a_retry_goes_to_the_failover_hosts(policy: Callable[..., Any]) -> None:
    assert policy(failover=["http://10.9.0.1"])["retry"]["numAttemptsPerPriority"] == 1


@pytest.mark.parametrize(
    ("balancing", "kind"),
    [
        ("round_robin", "RoundRobin"),
        ("least_request", "LeastRequest"),
        ("random", "Random"),
        ("ring_hash", "Random"),
        ("maglev", "Random"),
    ],
)
def test_balancing(policy: Callable[..., Any], balancing: str, kind: str) -> None:
    assert policy(load_balancing=balancing)["loadBalancer"] == {"type": kind}


def test_affinity_is_a_hash_of_its_header(policy: Callable[..., Any]) -> None:
    keys = {"load_balancing": "ring_hash", "session_affinity": {"header": "X-User"}}
    assert policy(**keys)["loadBalancer"] == {
        "type": "ConsistentHash",
        "consistentHash": {"type": "Header", "header": {"name": "x-user"}},
    }


@pytest.mark.parametrize("off", ["consecutive_gateway_failure", "max_ejection_percent"])
def test_hosts_that_are_never_left_out_are_not_watched(
    policy: Callable[..., Any], off: str
) -> None:
    assert policy(outlier_detection={off: 0})["healthCheck"] == {"panicThreshold": 1}


def test_numbers_fit_their_fields(policy: Callable[..., Any]) -> None:
    detection = {"consecutive_gateway_failure": 2**32 - 1}
    passive = policy(outlier_detection=detection)["healthCheck"]["passive"]
    assert passive["consecutiveGatewayErrors"] == 2**31 - 1


def test_health_checks_ask_the_host_by_its_name(policy: Callable[..., Any]) -> None:
    check = {"path": "/ready?x=1", "interval": "2s"}
    active = policy(url="http://Agent.example.com", health_check=check)["healthCheck"]["active"]
    assert active == {
        "type": "HTTP",
        "http": {
            "path": "/ready?x=1",
            "method": "GET",
            "expectedStatuses": [200],
            "hostname": "agent.example.com",
        },
        "interval": "2s",
        "timeout": "2s",
        "unhealthyThreshold": 2,
        "healthyThreshold": 1,
    }
    six = policy(url="http://[2001:db8::1]", health_check={})["healthCheck"]["active"]
    assert (six["timeout"], "hostname" in six["http"]) == ("3s", False)
