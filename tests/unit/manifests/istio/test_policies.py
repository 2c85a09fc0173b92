from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.manifests.source import Unrenderable

Spec = Callable[..., Any]


def policy(spec: Spec, **agent: Any) -> dict[str, Any]:
    found: dict[str, Any] = spec("DestinationRule", "agent-a", {"id": "a", **agent})
    return dict(found["trafficPolicy"])


def test_limits_are_those_of_the_agent(spec: Spec) -> None:
    breaker = {"max_connections": 1, "max_pending_requests": 2, "max_requests": 3, "max_retries": 4}
    pool = policy(spec, url="http://10.0.0.1", circuit_breaker=breaker)["connectionPool"]
    assert pool["tcp"]["maxConnections"] == 1
    assert pool["tcp"]["connectTimeout"] == "5s"
    assert pool["http"] == {
        "http1MaxPendingRequests": 2,
        "http2MaxRequests": 3,
        "maxRetries": 4,
        "idleTimeout": "4s",
    }


def test_limits_fit_into_the_fields(spec: Spec) -> None:
    breaker = dict.fromkeys(("max_connections", "max_requests"), 2**32 - 1) | {"max_retries": 0}
    pool = policy(spec, url="http://10.0.0.1", circuit_breaker=breaker)["connectionPool"]
    assert pool["tcp"]["maxConnections"] == pool["http"]["http2MaxRequests"] == 2**31 - 1
    assert "maxRetries" not in pool["http"]


def test_a_host_is_left_out_for_gateway_errors_alone(spec: Spec) -> None:
    detection = {"consecutive_gateway_failure": 7, "interval": "1s", "max_ejection_percent": 0}
    found = policy(spec, url="http://10.0.0.1", outlier_detection=detection)
    assert found["outlierDetection"] == {
        "consecutiveGatewayErrors": 7,
        "consecutive5xxErrors": 0,
        "interval": "1s",
        "baseEjectionTime": "30s",
        "maxEjectionPercent": 1,
    }
    off = {"consecutive_gateway_failure": 0}
    assert "outlierDetection" not in policy(spec, url="http://10.0.0.1", outlier_detection=off)


@pytest.mark.parametrize(
    ("keys", "balancer"),
    [
        ({}, {"simple": "LEAST_REQUEST"}),
        ({"load_balancing": "round_robin"}, {"simple": "ROUND_ROBIN"}),
        ({"load_balancing": "random"}, {"simple": "RANDOM"}),
        ({"load_balancing": "maglev"}, {"simple": "RANDOM"}),
        (
            {"load_balancing": "ring_hash", "session_affinity": {"header": "X-User"}},
            {"consistentHash": {"httpHeaderName": "x-user", "ringHash": {}}},
        ),
        (
            {"load_balancing": "maglev", "session_affinity": {"header": "x-user"}},
            {"consistentHash": {"httpHeaderName": "x-user", "maglev": {}}},
        ),
    ],
)
def test_hosts_are_balanced_as_said(
    spec: Spec, keys: dict[str, Any], balancer: dict[str, Any]
) -> None:
    hosts = ["http://10.0.0.1", "http://10.0.0.2"]
    assert policy(spec, endpoints=hosts, **keys)["loadBalancer"] == balancer


def test_the_first_group_comes_first(spec: Spec) -> None:
    balancer = policy(spec, url="http://10.0.0.1", failover=["http://10.9.0.1"])["loadBalancer"]
    assert balancer["localityLbSetting"] == {
        "enabled": True,
        "failoverPriority": ["outerloop/group=first"],
    }


def test_https_is_checked_against_the_system_and_the_host(spec: Spec) -> None:
    assert policy(spec, url="https://api.example.com/v1")["tls"] == {
        "mode": "SIMPLE",
        "sni": "api.example.com",
        "subjectAltNames": ["api.example.com"],
    }
    assert "sni" not in policy(spec, url="https://10.0.0.1")["tls"]


def test_own_authorities_and_a_client_certificate(spec: Spec) -> None:
    files = {"ca": "/etc/ca.pem", "certificate": "/etc/c.pem", "key": "/etc/k.pem"}
    tls = policy(spec, url="https://api.example.com", tls=files)["tls"]
    assert tls["mode"] == "MUTUAL"
    assert tls["caCertificates"] == "/etc/ca.pem"
    assert (tls["clientCertificate"], tls["privateKey"]) == ("/etc/c.pem", "/etc/k.pem")


def test_two_certificate_names_cannot_be_checked(spec: Spec) -> None:
    with pytest.raises(Unrenderable, match=r"agents\[a\]: .* a\.example\.com, b\.example\.com"):
        policy(spec, endpoints=["https://a.example.com", "https://b.example.com"])


def test_a_rule_of_a_kubernetes_service_is_for_the_gateways_alone(
    make: Callable[..., Any],
) -> None:
    (found,) = (
        each
        for each in make({"id": "a", "service": "shop.other:80"}).documents
        if each["kind"] == "DestinationRule"
    )
    assert found["metadata"]["namespace"] == "istio-system"
    assert found["metadata"]["name"] == "outerloop-agent-default-a"
    assert found["spec"]["host"] == "shop.other.svc.cluster.local"
    assert found["spec"]["exportTo"] == ["."]
