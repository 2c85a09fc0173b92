from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from extproc.address import PipeAddress, SocketAddress
from extproc.manifests.envoy_gateway.backends import addresses, hostname
from extproc.manifests.source import Unrenderable

if TYPE_CHECKING:
    from tests.unit.manifests.envoy_gateway.conftest import Rendered

    Render = Callable[..., Rendered]

ROUTE = "outerloop-route-travel-a"


def agent(**keys: Any) -> dict[str, Any]:
    return {"id": "a", **keys}


def test_hosts_of_one_kind_share_a_backend(rendered: Render) -> None:
    found = rendered(agent(endpoints=["http://10.0.0.1:1", "http://10.0.0.2:2"], http2=True))
    assert found.spec("Backend", "outerloop-agent-a") == {
        "endpoints": [
            {"ip": {"address": "10.0.0.1", "port": 1}},
            {"ip": {"address": "10.0.0.2", "port": 2}},
        ],
        "appProtocols": ["gateway.envoyproxy.io/h2c"],
    }
    (reference,) = found.rule(ROUTE)["backendRefs"]
    assert reference["weight"] == 2


def test_names_are_looked_up_and_localhost_is_an_address(rendered: Render) -> None:
    found = rendered(agent(url="http://Agents.Example.com"), agent(id="b", url="http://localhost"))
    assert found.spec("Backend", "outerloop-agent-a")["endpoints"] == [
        {"fqdn": {"hostname": "agents.example.com", "port": 80}}
    ]
    assert found.spec("Backend", "outerloop-agent-b")["endpoints"] == [
        {"ip": {"address": "127.0.0.1", "port": 80}}
    ]


def test_addresses_and_names_are_backends_apart(rendered: Render) -> None:
    found = rendered(agent(endpoints=["http://10.0.0.1", "http://x.example.com"]))
    first, second = found.rule(ROUTE)["backendRefs"]
    assert [first["name"], second["name"]] == ["outerloop-agent-a", "outerloop-agent2-a"]


def test_failover_hosts_are_a_fallback(rendered: Render) -> None:
    found = rendered(agent(url="http://10.0.0.1", failover=["http://10.9.0.1"]))
    assert "fallback" not in found.spec("Backend", "outerloop-agent-a")
    assert found.spec("Backend", "outerloop-failover-a") == {
        "endpoints": [{"ip": {"address": "10.9.0.1", "port": 80}}],
        "fallback": True,
    }
    assert [each["name"] for each in found.rule(ROUTE)["backendRefs"]] == [
        "outerloop-agent-a",
        "outerloop-failover-a",
    ]


def test_https_is_checked_by_the_system_or_by_a_bundle(rendered: Render) -> None:
    own = {"ca": "ca.pem", "certificate": "c.pem", "key": "k.pem"}
    found = rendered(
        agent(endpoints=["https://x.example.com", "https://y.example.com"]),
        agent(id="b", url="https://z.example.com:8443", tls=own),
    )
    assert found.spec("BackendTLSPolicy", "outerloop-agent-a") == {
        "targetRefs": [
            {"group": "gateway.envoyproxy.io", "kind": "Backend", "name": "outerloop-agent-a"}
        ],
        "validation": {"hostname": "x.example.com", "wellKnownCACertificates": "System"},
    }
    # Each host is asked by its own name.
    second = found.spec("BackendTLSPolicy", "outerloop-agent2-a")
    assert second["validation"]["hostname"] == "y.example.com"
    assert found.spec("BackendTLSPolicy", "outerloop-agent-b")["validation"] == {
        "hostname": "z.example.com",
        "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "outerloop-ca-b"}],
    }
    assert found.spec("Backend", "outerloop-agent-b")["tls"] == {
        "clientCertificateRef": {"group": "", "kind": "Secret", "name": "outerloop-client-b"}
    }
    assert "ca.pem" not in str(found.manifests.documents)


def test_a_service_of_another_namespace_needs_leave(rendered: Render) -> None:
    found = rendered(
        agent(service="legacy.other:8080"),
        agent(id="b", service="legacy.other:8081"),
        agent(id="c", service="near.default:80"),
    )
    (reference,) = found.rule(ROUTE)["backendRefs"]
    assert reference == {
        "group": "",
        "kind": "Service",
        "name": "legacy",
        "namespace": "other",
        "port": 8080,
        "weight": 1,
    }
    (grant,) = (each for each in found.manifests.documents if each["kind"] == "ReferenceGrant")
    assert grant["metadata"]["namespace"] == "other"
    assert grant["spec"] == {
        "from": [
            {
                "group": "gateway.networking.k8s.io",
                "kind": "HTTPRoute",
                "namespace": "default",
            }
        ],
        "to": [{"group": "", "kind": "Service", "name": "legacy"}],
    }
    assert found.names("Backend") == []


def test_https_to_an_address_is_refused(rendered: Render) -> None:
    with pytest.raises(Unrenderable, match=r"https://10\.0\.0\.1"):
        rendered(agent(url="https://10.0.0.1"))


def test_a_name_that_kubernetes_has_not_is_refused() -> None:
    assert hostname("A.Example.com.") == "a.example.com"
    for name in ("a_b", "-a", "a..b", ""):
        with pytest.raises(Unrenderable):
            hostname(name)


def test_addresses_of_each_kind() -> None:
    found = (PipeAddress("/run/x"), SocketAddress("10.0.0.1", 1), SocketAddress("x.y", 2))
    assert addresses(found) == [
        {"unix": {"path": "/run/x"}},
        {"ip": {"address": "10.0.0.1", "port": 1}},
        {"fqdn": {"hostname": "x.y", "port": 2}},
    ]
