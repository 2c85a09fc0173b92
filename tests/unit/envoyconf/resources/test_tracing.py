from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from envoy_data_plane.envoy.config.trace import v3 as trace
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm

from extproc.envoyconf.resources.tracing import of_calls, of_requests
from extproc.envoyconf.topology import Topology

Make = Callable[..., Topology]


def tracing(make_topology: Make, **keys: Any) -> hcm.HttpConnectionManagerTracing:
    told = {"otlp_endpoint": "http://127.0.0.1:4317", **keys}
    made = of_requests(make_topology(tracing=told).tracing, "travel")
    assert made is not None
    return made


def exporter(made: hcm.HttpConnectionManagerTracing) -> trace.OpenTelemetryConfig:
    assert made.provider is not None
    assert made.provider.typed_config is not None
    config = made.provider.typed_config.unpack()
    assert isinstance(config, trace.OpenTelemetryConfig)
    return config


def test_without_a_collector_nothing_is_traced(make_topology: Make) -> None:
    assert of_requests(make_topology().tracing, "travel") is None
    assert of_calls(make_topology().tracing) is None
    assert "tracing" not in {each.name for each in make_topology().clusters}


def test_spans_go_to_the_collector_by_its_protocol(make_topology: Make) -> None:
    grpc = exporter(tracing(make_topology)).grpc_service
    assert grpc is not None
    assert grpc.envoy_grpc is not None
    assert grpc.envoy_grpc.cluster_name == "tracing"
    http = exporter(tracing(make_topology, otlp_endpoint="http://127.0.0.1:4318")).http_service
    assert http is not None
    assert http.http_uri is not None
    assert http.http_uri.uri == "http://127.0.0.1:4318/v1/traces"
    assert http.http_uri.cluster == "tracing"


@pytest.mark.parametrize(("port", "http2"), [(4317, True), (4318, False)])
def test_the_collector_is_a_cluster(make_topology: Make, port: int, http2: bool) -> None:
    topology = make_topology(tracing={"otlp_endpoint": f"http://127.0.0.1:{port}"})
    [cluster] = [each for each in topology.upstreams if each.name == "tracing"]
    assert cluster.http2 is http2


@pytest.mark.parametrize(("share", "numerator"), [(100, 1_000_000), (1.5, 15_000), (0, 0)])
def test_who_began_a_trace_decides_and_else_chance(
    make_topology: Make, share: float, numerator: int
) -> None:
    sampler = exporter(tracing(make_topology, random_sampling=share)).sampler
    assert sampler is not None
    assert sampler.name.endswith("parent_based")
    assert sampler.typed_config is not None
    wrapped: Any = sampler.typed_config.unpack()
    ratio = wrapped.wrapped_sampler.typed_config.unpack().sampling_percentage
    assert (ratio.numerator, ratio.denominator.name) == (numerator, "MILLION")


def test_static_attributes_are_tags_and_queries_are_not(make_topology: Make) -> None:
    made = tracing(make_topology, span_attributes={"static": {"team": "red"}})
    tags = {each.tag: each for each in made.custom_tags}
    literal = tags["team"].literal
    assert literal is not None
    assert literal.value == "red"
    assert tags["url.path"].value == "%PATH(NQ)%"
    assert made.max_path_tag_length == 0
    assert made.spawn_upstream_span
