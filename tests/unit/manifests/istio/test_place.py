from __future__ import annotations

from datetime import timedelta

import pytest

from extproc.config.model.deploy import Deploy
from extproc.manifests.istio.place import Place, Workload, duration


def place(gateway_class: str | None = None) -> Place:
    return Place.of(Deploy(gateway_class=gateway_class, name="loop", namespace="agents"))


@pytest.mark.parametrize(
    ("gateway_class", "namespace", "label"),
    [
        (None, "istio-system", "ingressgateway"),
        ("public", "istio-system", "public"),
        ("istio-ingress/public", "istio-ingress", "public"),
    ],
)
def test_a_gateway_is_found_by_its_namespace_and_label(
    gateway_class: str | None, namespace: str, label: str
) -> None:
    found = place(gateway_class)
    assert found.ingress == Workload(namespace, label)
    assert found.egress == Workload(namespace, "egressgateway")
    assert found.ingress.labels == {"istio": label}


def test_the_way_out_of_sidecars_is_istios_own_gateway() -> None:
    found = place("clients/mesh")
    assert found.ingress == Workload("clients", "mesh")
    assert found.egress == Workload("istio-system", "egressgateway")


def test_a_gateway_and_sidecars_are_patched_as_what_they_are() -> None:
    assert Workload("istio-system", "ingressgateway").context == "GATEWAY"
    assert Workload("clients", "mesh").context == "SIDECAR_OUTBOUND"


@pytest.mark.parametrize(
    ("workload", "seen"),
    [
        (Workload("istio-system", "ingressgateway"), "."),
        (Workload("clients", "mesh"), "."),
        (Workload("istio-system", "mesh"), "*"),
    ],
)
def test_rules_are_seen_where_the_pods_are(workload: Workload, seen: str) -> None:
    assert workload.export_to == [seen]


def test_names_in_a_gateways_namespace_have_ours_in_them() -> None:
    assert place().named("listener", "travel") == "loop-listener-travel"
    assert place().named_abroad("listener", "travel") == "loop-listener-agents-travel"
    assert place().host("loop-agent-a") == "loop-agent-a.agents.outerloop.internal"


def test_an_object_says_whose_it_is() -> None:
    document = place().document("EnvoyFilter", "loop", {}, "istio-system")
    assert document["apiVersion"] == "networking.istio.io/v1alpha3"
    assert document["metadata"]["namespace"] == "istio-system"
    assert document["metadata"]["labels"]["app.kubernetes.io/instance"] == "loop"
    assert place().document("Gateway", "loop", {})["metadata"]["namespace"] == "agents"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(minutes=5), "300s"),
        (timedelta(milliseconds=1500), "1.5s"),
        (timedelta(milliseconds=1), "0.001s"),
        (timedelta(), "0s"),
    ],
)
def test_durations_are_seconds(value: timedelta, text: str) -> None:
    assert duration(value) == text
