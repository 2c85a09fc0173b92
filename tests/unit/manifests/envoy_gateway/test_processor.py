from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from extproc.manifests.source import Unrenderable

if TYPE_CHECKING:
    from tests.unit.manifests.envoy_gateway.conftest import Rendered

    Render = Callable[..., Rendered]

SAN = "processor.example.com"
DECIDE = "outerloop-decide-travel"
CERTIFICATE = "outerloop-certificate"


def deploy(*addresses: str, **tls: Any) -> dict[str, Any]:
    return {"processor": {"addresses": list(addresses), "tls": tls or None}}


def asked(found: Rendered) -> Any:
    (decides,) = found.spec("EnvoyExtensionPolicy", DECIDE)["extProc"]
    return decides


def test_it_is_a_service_by_default(rendered: Render) -> None:
    found = rendered(deploy={"name": "loop"})
    (decides,) = found.spec("EnvoyExtensionPolicy", "loop-decide-travel")["extProc"]
    assert decides["backendRefs"] == [
        {"group": "", "kind": "Service", "name": "loop", "port": 9001}
    ]
    assert found.names("BackendTLSPolicy") == []
    assert CERTIFICATE not in found.names("HTTPRoute")


def test_or_a_backend_of_its_addresses(rendered: Render) -> None:
    found = rendered(deploy=deploy("10.0.0.1:9001", "p.example.com:9002"))
    assert asked(found)["backendRefs"] == [
        {"group": "gateway.envoyproxy.io", "kind": "Backend", "name": "outerloop-processor"}
    ]
    assert found.spec("Backend", "outerloop-processor") == {
        "endpoints": [
            {"ip": {"address": "10.0.0.1", "port": 9001}},
            {"fqdn": {"hostname": "p.example.com", "port": 9002}},
        ],
        "appProtocols": ["gateway.envoyproxy.io/h2c"],
    }


def test_another_worker_is_asked_where_one_fails(rendered: Render) -> None:
    settings = asked(rendered(limits={"max_request_bytes": "8MiB"}))["backendSettings"]
    assert settings["connection"] == {"bufferLimit": 8 * 2**20}
    assert settings["retry"]["retryOn"]["triggers"] == [
        "connect-failure",
        "refused-stream",
        "reset",
        "unavailable",
        "reset-before-request",
    ]
    active = settings["healthCheck"]["active"]
    assert active["grpc"] == {"service": "envoy.service.ext_proc.v3.ExternalProcessor"}
    # Never none at all: Envoy Gateway has no field for how soon the first look is.
    assert settings["healthCheck"]["panicThreshold"] == 1
    assert set(settings["circuitBreaker"].values()) == {2**32 - 1}


def test_a_service_is_checked_and_the_gateway_shows_its_certificate(rendered: Render) -> None:
    tls = {"san": SAN, "secret": "own", "client_secret": "shown"}
    found = rendered(deploy=deploy(**tls))
    assert found.spec("BackendTLSPolicy", "outerloop-processor") == {
        "targetRefs": [{"group": "", "kind": "Service", "name": "outerloop"}],
        "validation": {
            "hostname": SAN,
            "caCertificateRefs": [{"group": "", "kind": "Secret", "name": "own"}],
        },
    }
    shown = {"group": "", "kind": "Secret", "name": "shown"}
    assert found.spec("Gateway", "outerloop")["tls"] == {"backend": {"clientCertificateRef": shown}}
    # Without a route to it Envoy never gets the certificate; nobody can take it.
    rule = found.rule(CERTIFICATE)
    assert rule["backendRefs"] == asked(found)["backendRefs"]
    assert rule["matches"][0]["headers"] == [
        {"type": "Exact", "name": "x-outerloop-agent", "value": "/"}
    ]


def test_a_backend_has_a_certificate_of_its_own(rendered: Render) -> None:
    found = rendered(deploy=deploy("10.0.0.1:9001", san=SAN, secret="own", client_secret="shown"))
    backend = found.spec("Backend", "outerloop-processor")
    shown = {"group": "", "kind": "Secret", "name": "shown"}
    assert backend["tls"] == {"clientCertificateRef": shown}
    assert "appProtocols" not in backend
    assert "tls" not in found.spec("Gateway", "outerloop")
    assert CERTIFICATE in found.names("HTTPRoute")


def test_a_name_may_be_a_uri(rendered: Render) -> None:
    san = "spiffe://example.com/ns/default/sa/outerloop"
    found = rendered(deploy=deploy(san=san, secret="own"))
    assert found.spec("BackendTLSPolicy", "outerloop-processor")["validation"] == {
        "hostname": "outerloop.default.svc",
        "subjectAltNames": [{"type": "URI", "uri": san}],
        "caCertificateRefs": [{"group": "", "kind": "Secret", "name": "own"}],
    }


@pytest.mark.parametrize(
    ("tls", "key"),
    [
        ({"san": SAN}, "secret"),
        ({"san": "10.0.0.1", "secret": "own"}, "san"),
        ({"san": SAN, "secret": "own", "certificate": "c.pem", "key": "k.pem"}, "client_secret"),
    ],
)
def test_tls_that_cannot_be_said_is_refused(
    rendered: Render, tls: dict[str, Any], key: str
) -> None:
    with pytest.raises(Unrenderable, match=rf"deploy\.processor\.tls\.{key}:"):
        rendered(deploy=deploy(**tls))
