from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., Any]


def found(make: Make, kind: str, part: str, **processor: Any) -> list[Any]:
    documents = make(deploy={"processor": processor}).documents
    return [each for each in documents if each["kind"] == kind and part in each["metadata"]["name"]]


def asked(make: Make, **processor: Any) -> set[tuple[str, str | None]]:
    """Return which cluster the filters ask, and by which authority."""
    (patches,) = found(make, "EnvoyFilter", "listener", **processor)
    return {
        (each["cluster_name"], each.get("authority"))
        for each in _mappings(patches)
        if "cluster_name" in each
    }


def _mappings(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [each for inner in value for each in _mappings(inner)]
    if not isinstance(value, dict):
        return []
    return [value, *(each for inner in value.values() for each in _mappings(inner))]


def test_it_is_the_service_that_the_pods_have(make: Make) -> None:
    host = "outerloop.default.svc.cluster.local"
    assert asked(make) == {(f"outbound|9001||{host}", host)}
    assert found(make, "ServiceEntry", "processor") == []
    # The mesh's own TLS, where the pods have sidecars.
    assert found(make, "DestinationRule", "processor") == []


def test_elsewhere_it_gets_an_entry(make: Make) -> None:
    addresses = ["10.0.0.1:9001", "10.0.0.2:9002"]
    (entry,) = found(make, "ServiceEntry", "processor", addresses=addresses)
    assert [each["ports"]["http"] for each in entry["spec"]["endpoints"]] == [9001, 9002]
    assert entry["spec"]["ports"][0]["protocol"] == "HTTP2"
    host = "outerloop-processor.default.outerloop.internal"
    assert asked(make, addresses=addresses) == {(f"outbound|80||{host}", host)}


def test_a_socket_of_the_gateways_pod_is_a_cluster_of_our_own(make: Make) -> None:
    socket = ["unix:/run/outerloop/processor.sock"]
    assert asked(make, addresses=socket) == {("processor", None)}
    (patches,) = found(make, "EnvoyFilter", "clusters", addresses=socket)
    added = patches["spec"]["configPatches"][0]
    assert added["patch"]["operation"] == "ADD"
    pipes = [each["path"] for each in _mappings(added) if list(each) == ["path"]]
    assert pipes == ["/run/outerloop/processor.sock"]


@pytest.mark.parametrize(
    ("tls", "rule"),
    [
        (
            {"san": "processor", "client_secret": "gateway-tls"},
            {"mode": "MUTUAL", "credentialName": "gateway-tls", "sni": "processor"},
        ),
        (
            {"san": "processor", "secret": "processor-tls"},
            {"mode": "SIMPLE", "credentialName": "processor-tls", "sni": "processor"},
        ),
        (
            {"san": "processor", "ca": "/etc/ca.pem"},
            {"mode": "SIMPLE", "caCertificates": "/etc/ca.pem", "sni": "processor"},
        ),
        (
            {"san": "processor", "ca": "/c", "certificate": "/d", "key": "/e"},
            {
                "mode": "MUTUAL",
                "caCertificates": "/c",
                "clientCertificate": "/d",
                "privateKey": "/e",
                "sni": "processor",
            },
        ),
        (
            {"san": "spiffe://cluster.local/ns/agents/sa/outerloop", "secret": "processor-tls"},
            {
                "mode": "SIMPLE",
                "credentialName": "processor-tls",
                "sni": "outerloop.default.svc.cluster.local",
            },
        ),
    ],
)
def test_its_certificate_is_checked(make: Make, tls: dict[str, str], rule: dict[str, Any]) -> None:
    (found_rule,) = found(make, "DestinationRule", "processor", tls=tls)
    assert found_rule["metadata"]["namespace"] == "istio-system"
    checked = {**rule, "subjectAltNames": [tls["san"]]}
    assert found_rule["spec"]["trafficPolicy"] == {"tls": checked}
