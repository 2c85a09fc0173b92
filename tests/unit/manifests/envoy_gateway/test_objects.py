from __future__ import annotations

from datetime import timedelta

import pytest

from extproc.config.model.deploy import Deploy
from extproc.manifests.envoy_gateway.objects import Place, duration, refer, section

PLACE = Place.of(Deploy(name="loop", namespace="agents"))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (timedelta(0), "0s"),
        (timedelta(milliseconds=1), "1ms"),
        (timedelta(milliseconds=1500), "1s500ms"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(hours=1), "1h"),
        (timedelta(days=365), "8760h"),
        (timedelta(hours=25, minutes=1, seconds=1, milliseconds=7), "25h1m1s7ms"),
    ],
)
def test_durations_are_written_as_kubernetes_reads_them(value: timedelta, written: str) -> None:
    assert duration(value) == written


def test_an_object_has_its_place_and_the_labels_of_all() -> None:
    document = PLACE.document("Backend", "loop-x", {"a": 1}, annotations={"b": "c"})
    assert document == {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "Backend",
        "metadata": {
            "name": "loop-x",
            "namespace": "agents",
            "labels": {
                "app.kubernetes.io/name": "outerloop",
                "app.kubernetes.io/instance": "loop",
                "app.kubernetes.io/component": "gateway",
            },
            "annotations": {"b": "c"},
        },
        "spec": {"a": 1},
    }


def test_a_class_has_no_namespace() -> None:
    assert "namespace" not in PLACE.document("GatewayClass", "eg", {})["metadata"]


def test_references_have_the_group_of_their_kind() -> None:
    assert refer("Backend", "x")["group"] == "gateway.envoyproxy.io"
    assert refer("HTTPRoute", "x")["group"] == "gateway.networking.k8s.io"
    assert refer("Secret", "x") == {"group": "", "kind": "Secret", "name": "x"}


def test_names_are_labels_of_dns() -> None:
    assert PLACE.named("agent", "weather") == "loop-agent-weather"
    assert PLACE.named("agent", "Weather_1").startswith("loop-agent-weather-1-")
    assert section("desk") == "desk"
    assert section("Desk") != section("desk")
