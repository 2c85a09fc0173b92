from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from extproc import names
from extproc.manifests.source import Unrenderable

if TYPE_CHECKING:
    from tests.unit.manifests.envoy_gateway.conftest import Rendered

    Render = Callable[..., Rendered]

CLIENTS = "outerloop-clients-travel"


def test_a_listener_is_a_section_of_the_gateway(rendered: Render) -> None:
    found = rendered(listener={"name": "Travel_Desk", "port": 8443})
    gateway = found.spec("Gateway", "outerloop")
    (listener,) = gateway["listeners"]
    assert (listener["port"], listener["protocol"]) == (8443, "HTTP")
    assert listener["allowedRoutes"] == {"namespaces": {"from": "Same"}}
    assert re.fullmatch(r"travel-desk-[0-9a-f]{8}", listener["name"])
    (policy,) = found.names("ClientTrafficPolicy")
    (target,) = found.spec("ClientTrafficPolicy", policy)["targetRefs"]
    assert (target["name"], target["sectionName"]) == ("outerloop", listener["name"])


def test_a_port_that_is_not_known_is_refused(rendered: Render) -> None:
    with pytest.raises(Unrenderable, match=r"listeners\[travel\]\.port"):
        rendered(listener={"port": 0})


def test_the_class_is_rendered_unless_one_is_named(rendered: Render) -> None:
    found = rendered()
    assert found.spec("Gateway", "outerloop")["gatewayClassName"] == "eg"
    assert found.spec("GatewayClass", "eg") == {
        "controllerName": "gateway.envoyproxy.io/gatewayclass-controller"
    }
    found = rendered(deploy={"gateway_class": "ours"})
    assert found.spec("Gateway", "outerloop")["gatewayClassName"] == "ours"
    assert found.names("GatewayClass") == []


def test_tls_is_from_a_secret_and_clients_are_checked(rendered: Render) -> None:
    tls = {"certificate": "c.pem", "key": "k.pem", "client_ca": "ca.pem"}
    found = rendered(listener={"tls": tls})
    (listener,) = found.spec("Gateway", "outerloop")["listeners"]
    secret = {"group": "", "kind": "Secret", "name": "outerloop-tls-travel"}
    assert listener["protocol"] == "HTTPS"
    assert listener["tls"] == {"mode": "Terminate", "certificateRefs": [secret]}
    policy = found.spec("ClientTrafficPolicy", CLIENTS)
    (bundle,) = found.note("listeners[travel].tls.client_ca").split("configmap ")[1].split()[:1]
    assert policy["tls"] == {
        "minVersion": "1.2",
        "alpnProtocols": ["h2", "http/1.1"],
        "clientValidation": {
            "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": bundle}]
        },
    }
    assert "pem" not in str(found.manifests.documents)


def test_limits_of_clients(rendered: Render) -> None:
    limits = {
        "max_request_bytes": "8MiB",
        "max_connections": 7,
        "request_timeout": "90s",
        "request_headers_timeout": "500ms",
    }
    policy = rendered(limits=limits).spec("ClientTrafficPolicy", CLIENTS)
    assert policy["connection"] == {
        "bufferLimit": 8 * 2**20,
        "connectionLimit": {"value": 7},
    }
    assert policy["timeout"]["http"] == {
        "requestReceivedTimeout": "1m30s",
        "requestHeadersReceivedTimeout": "500ms",
        "idleTimeout": "5m",
        "streamIdleTimeout": "1h1m",
    }
    assert policy["healthCheck"] == {"path": "/healthz"}


@pytest.fixture
def taken(rendered: Render) -> Callable[[str], bool]:
    """Tell whether a header of a client is taken away before anything reads it."""
    policy = rendered().spec("ClientTrafficPolicy", CLIENTS)
    early = policy["headers"]["earlyRequestHeaders"]
    assert early["set"] == [{"name": "x-outerloop-listener", "value": "travel"}]
    expressions = [each["value"] for each in early["removeOnMatch"]]

    # Envoy has names in lower case by then.
    def matches(name: str) -> bool:
        return any(re.fullmatch(each, name.lower()) for each in expressions)

    return matches


@pytest.mark.parametrize("name", [*names.RESPONSE_HEADERS, names.HEADER_TARGET])
@pytest.mark.parametrize("spell", [str, str.upper, str.title])
def test_our_names_are_taken_from_clients(
    taken: Callable[[str], bool], name: str, spell: Callable[[str], str]
) -> None:
    assert taken(spell(name))
    assert taken(spell(name.replace("-", "_")))
    assert taken(spell(name.replace("outerloop-", "outerloop_")))
    assert taken(spell(name.replace("x-", "x_")))


@pytest.mark.parametrize("name", ["x-envoy-retry-on", "x_envoy_retry_on", "X-Envoy_Max"])
def test_so_are_envoys(taken: Callable[[str], bool], name: str) -> None:
    assert taken(name)


def test_the_listener_is_not_taken_after_it_has_been_set(taken: Callable[[str], bool]) -> None:
    assert not taken("x-outerloop-listener")
    assert taken("x_outerloop_listener")
    assert taken("x-outerloop-listeners")


@pytest.mark.parametrize("name", ["x_tenant", "outerloop_x", "x-out_erloop-agent", "x-envoys"])
def test_others_are_left_alone(taken: Callable[[str], bool], name: str) -> None:
    assert not taken(name)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("none", []),
        ("basic", ["agent", "plan", "source"]),
        ("full", ["agent", "plan", "source", "confidence", "step", "cached", "decision-ms"]),
    ],
)
def test_what_clients_are_told(rendered: Render, told: str, shown: list[str]) -> None:
    found = rendered(observability={"response_headers": told})
    late: dict[str, Any] = found.spec("ClientTrafficPolicy", CLIENTS)["headers"][
        "lateResponseHeaders"
    ]
    formats = {each["name"]: each["value"] for each in late.get("set", ())}
    assert formats.pop("x-request-id", None) == (None if told == "none" else "%REQ(x-request-id)%")
    assert sorted(formats) == sorted(f"x-outerloop-{each}" for each in shown)
    if told == "full":
        assert formats["x-outerloop-cached"] == "%DYNAMIC_METADATA(outerloop:cached)%"
    (forged,) = (each["value"] for each in late["removeOnMatch"])
    assert re.fullmatch(forged, "x-outerloop-whatever")
    # An error of ours has this, and what filters say of an answer begins so.
    for name in (*formats, "x-outerloop-error", "x-outerloop-tag-language"):
        assert not re.fullmatch(forged, name)
