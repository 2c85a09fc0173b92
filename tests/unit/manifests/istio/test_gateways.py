from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.manifests.source import Unrenderable

Spec = Callable[..., Any]
TLS = {"certificate": "cert.pem", "key": "cert.key"}


def test_a_listener_is_a_port_of_the_gateway(spec: Spec) -> None:
    assert spec("Gateway", "listener-travel") == {
        "selector": {"istio": "ingressgateway"},
        "servers": [
            {
                "port": {"number": 8001, "name": "http-8001", "protocol": "HTTP"},
                "hosts": ["*"],
            }
        ],
    }


def test_certificates_come_from_a_secret(spec: Spec) -> None:
    (server,) = spec("Gateway", "listener-travel", listener={"tls": TLS})["servers"]
    assert server["port"]["protocol"] == "HTTPS"
    assert server["tls"] == {
        "mode": "SIMPLE",
        "credentialName": "outerloop-listener-travel",
        "minProtocolVersion": "TLSV1_2",
    }
    asked = {"tls": {**TLS, "client_ca": "clients.pem"}}
    (server,) = spec("Gateway", "listener-travel", listener=asked)["servers"]
    assert server["tls"]["mode"] == "MUTUAL"


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_any_free_port_is_none(make: Callable[..., Any], mode: str) -> None:
    with pytest.raises(Unrenderable, match=r"listeners\[travel\]\.port"):
        make(listener={"port": 0, "mode": mode})


def test_for_sidecars_it_is_a_service_without_pods(spec: Spec) -> None:
    mesh = {"gateway_class": "mesh"}
    assert spec("Service", "listener-travel", deploy=mesh) == {
        "ports": [{"name": "http", "port": 8001, "protocol": "TCP"}]
    }
    routes = spec("VirtualService", "listener-travel", deploy=mesh)
    assert routes["hosts"] == ["outerloop-listener-travel.default.svc.cluster.local"]
    assert routes["gateways"] == ["mesh"]


def test_the_way_out_is_a_gateway_of_its_own(spec: Spec) -> None:
    found = spec("Gateway", "egress", egress={"url": "http://out.istio-system:8080"})
    assert found["selector"] == {"istio": "egressgateway"}
    assert found["servers"][0]["port"]["number"] == 8080
    (server,) = spec("Gateway", "egress", egress={"url": "https://out"})["servers"]
    assert (server["port"]["number"], server["tls"]["credentialName"]) == (443, "outerloop-egress")
