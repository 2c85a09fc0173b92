from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.manifests.kubernetes.network import (
    is_loopback,
    is_public,
    is_spelled_out,
    network_policy,
)
from extproc.manifests.source import Source
from extproc.origin import parse_origin

Make = Callable[..., Source]

DNS = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}


def egress(source: Source) -> list[dict[str, Any]]:
    """Give the rules after that for DNS, which is always the first."""
    rules: list[dict[str, Any]]
    first, *rules = network_policy(source)["spec"]["egress"]
    assert first == DNS
    return rules


def calling(url: str) -> dict[str, Any]:
    return {"filters": [{"id": "guard", "type": "http", "url": url}]}


def tcp(port: int) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port}]


def namespace(name: str) -> dict[str, Any]:
    labels = {"kubernetes.io/metadata.name": name}
    return {"to": [{"namespaceSelector": {"matchLabels": labels}}]}


def test_both_directions_are_closed_but_for_what_is_named(make_source: Make) -> None:
    spec = network_policy(make_source(deploy={"name": "r"}))["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["podSelector"]["matchLabels"]["app.kubernetes.io/instance"] == "r"
    gateways, scrapers = spec["ingress"]
    assert gateways["ports"] == tcp(9001)
    assert scrapers["ports"] == tcp(9902)
    assert gateways["from"][0]["podSelector"] == {"matchLabels": {"r-client": "true"}}
    assert scrapers["from"][0]["podSelector"] == {"matchLabels": {"r-scrape": "true"}}
    # A peer without selectors, or without pods, would let everybody in.
    for rule in spec["ingress"]:
        assert all(set(peer) == {"namespaceSelector", "podSelector"} for peer in rule["from"])
        assert all(peer["podSelector"] for peer in rule["from"])
    assert egress(make_source()) == []


@pytest.mark.parametrize(
    ("chosen", "labels"),
    [
        ({}, {"istio": "ingressgateway"}),
        ({"gateway_class": "edge/agents"}, {"istio": "agents"}),
        ({"gateway_class": "mesh"}, {"security.istio.io/tlsMode": "istio"}),
    ],
)
def test_the_gateways_that_istio_s_target_is_for(
    make_source: Make, chosen: dict[str, str], labels: dict[str, str]
) -> None:
    gateways, _ = network_policy(make_source(deploy=chosen))["spec"]["ingress"]
    found = [peer["podSelector"].get("matchLabels") for peer in gateways["from"]]
    assert labels in found


@pytest.mark.parametrize(
    ("url", "cidr", "port"),
    [
        ("http://10.1.2.3:8080", "10.1.2.3/32", 8080),
        ("https://192.0.2.1", "192.0.2.1/32", 443),
        ("http://[fd00::1]:81", "fd00::1/128", 81),
    ],
)
def test_an_address(make_source: Make, url: str, cidr: str, port: int) -> None:
    block = {"to": [{"ipBlock": {"cidr": cidr}}], "ports": tcp(port)}
    assert egress(make_source(**calling(url))) == [block]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://guard:8080", "ai"),
        ("http://guard.travel.svc:8080", "travel"),
        ("http://guard.travel.svc.cluster.local", "travel"),
        ("http://guard.travel.svc.corp.test", "travel"),
    ],
)
def test_a_service_is_allowed_by_its_namespace(make_source: Make, url: str, name: str) -> None:
    """The port of a Service need not be the one of its pods, which is what a policy sees."""
    assert egress(make_source(**calling(url), deploy={"namespace": "ai"})) == [namespace(name)]


def test_agents_that_are_services(make_source: Make) -> None:
    agents = [{"id": name, "service": f"{name}.travel:8080"} for name in ("a", "b")]
    assert egress(make_source(*agents)) == [namespace("travel")]


def test_a_public_name_is_allowed_by_its_port(make_source: Make) -> None:
    [rule] = egress(make_source(**calling("https://API.models.example")))
    assert rule["ports"] == tcp(443)
    four, six = (peer["ipBlock"] for peer in rule["to"])
    assert (four["cidr"], six["cidr"]) == ("0.0.0.0/0", "::/0")
    assert {"10.0.0.0/8", "169.254.0.0/16"} < set(four["except"])


def test_two_labels_may_be_a_service_or_a_public_name(make_source: Make) -> None:
    service, public = egress(make_source(**calling("http://guard.travel:80")))
    assert service == namespace("travel")
    assert public["ports"] == tcp(80)


@pytest.mark.parametrize("url", ["http://localhost:9", "http://127.0.0.2:9", "http://[::1]:9"])
def test_a_pod_needs_no_leave_for_itself(make_source: Make, url: str) -> None:
    assert egress(make_source(**calling(url))) == []
    assert is_loopback(parse_origin(url))


@pytest.mark.parametrize(
    ("url", "environ"),
    [
        ("http://$HOST:8080", {"HOST": "10.9.8.7"}),
        ("http://10.1.1.1:$PORT", {"PORT": "9753"}),
        ("$URL", {"URL": "http://vault.s3cret.svc"}),
        ("https://$HOST", {"HOST": "models.s3cret.example"}),
    ],
)
def test_an_address_of_a_variable_is_not_told(
    make_source: Make, url: str, environ: dict[str, str]
) -> None:
    assert egress(make_source(**calling(url), environ=environ)) == []


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("http://a.example", True),
        ("http://a.b.example", True),
        ("http://a", False),
        ("http://a.b.svc", False),
        ("http://10.0.0.1", False),
    ],
)
def test_which_names_may_be_public(url: str, *, public: bool) -> None:
    assert is_public(parse_origin(url)) == public


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("http://A.b:8080", True),
        ("http://a.b:$PORT", False),
        ("http://$HOST:8080", False),
        ("service: a.b:8080", True),
    ],
)
def test_what_a_file_spells_out(text: str, *, spelled: bool) -> None:
    assert is_spelled_out(parse_origin("http://a.b.svc.cluster.local:8080"), text) == spelled
