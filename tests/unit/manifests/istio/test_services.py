from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.config.model.deploy import Deploy
from extproc.envoyconf.upstreams import ClientTls, UpstreamCluster
from extproc.manifests.istio.place import Place
from extproc.manifests.istio.services import (
    Service,
    entry,
    is_kubernetes,
    kind_of,
    named,
    object_of,
    service_of,
)
from extproc.manifests.source import Unrenderable
from extproc.origin import parse_origin

PLACE = Place.of(Deploy(name="loop", namespace="agents"))


def cluster(*urls: str, name: str = "agent/a", **rest: Any) -> UpstreamCluster:
    origins = tuple(map(parse_origin, urls))
    tls = ClientTls("system") if origins[0].tls else None
    return UpstreamCluster(name, (origins,), tls, **rest)


def test_a_cluster_of_the_mesh_is_a_service() -> None:
    service = named("outbound|80|v2|reviews.default.svc.cluster.local", "a")
    assert service == Service("reviews.default.svc.cluster.local", 80, "v2")
    assert service.cluster == "outbound|80|v2|reviews.default.svc.cluster.local"
    assert service.destination == {
        "host": "reviews.default.svc.cluster.local",
        "port": {"number": 80},
        "subset": "v2",
    }
    assert named("outbound|443||api.example.com", "a").destination == {
        "host": "api.example.com",
        "port": {"number": 443},
    }


@pytest.mark.parametrize("text", ["mine", "inbound|80||", "outbound|80|api.example.com"])
def test_no_other_cluster_can_be_named(text: str) -> None:
    with pytest.raises(Unrenderable, match=r"agents\[a\]\.cluster: .*outbound\|PORT"):
        named(text, "a")


@pytest.mark.parametrize(
    "host", ["shop.other.svc.cluster.local", "shop.other.svc", "shop.other.svc.cluster.example"]
)
def test_a_service_of_kubernetes_is_called_by_its_whole_name(host: str) -> None:
    found = cluster(f"http://{host}:8080")
    assert is_kubernetes(found)
    spelled = "shop.other.svc.cluster.local" if host.endswith(".svc") else host
    assert service_of(found, PLACE) == Service(spelled, 8080)


@pytest.mark.parametrize(
    "urls",
    [
        ("http://shop.other:8080",),
        ("http://10.0.0.1",),
        ("https://shop.other.svc",),
        ("http://shop.other.svc", "http://shop.another.svc"),
    ],
)
def test_all_else_gets_an_entry(urls: tuple[str, ...]) -> None:
    assert not is_kubernetes(cluster(*urls))
    assert service_of(cluster(*urls), PLACE).host == "loop-agent-a.agents.outerloop.internal"


@pytest.mark.parametrize(
    ("name", "variant", "expected"),
    [
        ("agent/a", "", "loop-agent-a"),
        ("agent/a/b", "b", "loop-variant-a-b"),
        ("mirror/a", "", "loop-mirror-a"),
        ("target/filter/guard", "", "loop-target-filter-guard"),
    ],
)
def test_objects_are_called_by_what_they_are_for(name: str, variant: str, expected: str) -> None:
    found = cluster("http://10.0.0.1", name=name, variant=variant)
    assert object_of(found, PLACE) == expected
    assert PLACE.named(*kind_of(found)) == expected


def test_an_agent_and_a_variant_never_have_one_name() -> None:
    one = cluster("http://10.0.0.1", name="agent/a-b")
    other = cluster("http://10.0.0.1", name="agent/a/b", variant="b")
    assert object_of(one, PLACE) != object_of(other, PLACE)


def test_an_entry_has_the_hosts_of_all_groups(spec: Callable[..., Any]) -> None:
    agent = {
        "id": "a",
        "endpoints": ["http://10.0.0.1:81", "http://10.0.0.2:82"],
        "failover": ["http://10.9.0.1"],
    }
    found = spec("ServiceEntry", "agent-a", agent)
    assert found["resolution"] == "STATIC"
    assert found["location"] == "MESH_EXTERNAL"
    assert found["ports"] == [{"number": 80, "name": "http", "protocol": "HTTP"}]
    hosts = [
        (each["address"], each["ports"]["http"], each["labels"]["outerloop/group"])
        for each in found["endpoints"]
    ]
    assert hosts == [
        ("10.0.0.1", 81, "first"),
        ("10.0.0.2", 82, "first"),
        ("10.9.0.1", 80, "failover"),
    ]


def test_names_are_resolved_and_http2_is_said() -> None:
    found = entry(cluster("http://localhost:1", "http://b.example.com", http2=True), PLACE)
    assert found["spec"]["resolution"] == "DNS"
    assert found["spec"]["ports"][0]["protocol"] == "HTTP2"
    assert [each["address"] for each in found["spec"]["endpoints"]] == [
        "127.0.0.1",
        "b.example.com",
    ]
