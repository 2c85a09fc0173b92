from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.extensions.upstreams.http import v3 as upstreams

from extproc.address import PipeAddress, SocketAddress
from extproc.envoyconf.files import Folder
from extproc.envoyconf.resources.addresses import address, load_assignment
from extproc.envoyconf.resources.clusters import has_endpoints, processor_cluster, upstream_cluster
from extproc.envoyconf.topology import Topology
from extproc.envoyconf.upstreams import ProcessorTls

Make = Callable[..., Topology]
Cluster = Callable[..., cluster_v3.Cluster]


@pytest.fixture
def make_cluster(make_topology: Make) -> Cluster:
    def make(url: str = "http://127.0.0.1:80", **keys: Any) -> cluster_v3.Cluster:
        topology = make_topology({"id": "weather", "url": url, **keys})
        return upstream_cluster(topology.upstreams[0], topology.folder)

    return make


def http_options(cluster: cluster_v3.Cluster) -> upstreams.HttpProtocolOptions:
    (packed,) = cluster.typed_extension_protocol_options.values()
    options = packed.unpack()
    assert isinstance(options, upstreams.HttpProtocolOptions)
    return options


@pytest.mark.parametrize(
    ("url", "discovery", "host"),
    [
        ("http://10.0.0.7:80", "STATIC", "10.0.0.7"),
        ("http://[::1]:80", "STATIC", "::1"),
        ("http://localhost:80", "STATIC", "127.0.0.1"),
        ("http://agents.example:80", "STRICT_DNS", "agents.example"),
    ],
)
def test_names_are_resolved_and_literals_are_not(
    make_cluster: Cluster, url: str, discovery: str, host: str
) -> None:
    cluster = make_cluster(url)
    assert cluster.type is not None
    assert cluster.type.name == discovery
    assert cluster.load_assignment is not None
    (group,) = cluster.load_assignment.endpoints
    (only,) = group.lb_endpoints
    assert only.endpoint is not None
    assert only.endpoint.address == address(SocketAddress(host, 80))


@pytest.mark.parametrize(
    ("keys", "apart"),
    [
        ({"endpoints": ["http://10.0.0.7", "http://localhost"]}, True),
        ({"endpoints": ["http://10.0.0.7"], "failover": ["http://10.0.0.8"]}, True),
        ({"endpoints": ["http://10.0.0.7"]}, False),
        ({"endpoints": ["http://10.0.0.7", "http://agents.example"]}, False),
        ({"endpoints": ["https://10.0.0.7", "https://10.0.0.8"]}, False),
    ],
)
def test_hosts_that_envoy_need_not_resolve_come_and_go_without_their_cluster(
    make_topology: Make, keys: dict[str, Any], apart: bool
) -> None:
    folder = Folder("/run/envoy", dynamic=True)
    topology = make_topology({"id": "weather", **keys}, folder=folder)
    made = upstream_cluster(topology.upstreams[0], folder)
    assert made.type is not None
    assert (made.type.name == "EDS") == has_endpoints(topology.upstreams[0], folder) == apart
    assert (made.load_assignment is None) == (made.eds_cluster_config is not None) == apart
    fixed = Folder("/etc/envoy", dynamic=False)
    assert not has_endpoints(topology.upstreams[0], fixed)


@pytest.mark.parametrize("check", [None, {"path": "/healthz"}])
def test_a_host_that_was_taken_away_gets_nothing_however_healthy(
    make_cluster: Cluster, check: dict[str, str] | None
) -> None:
    assert make_cluster(health_check=check).ignore_health_on_host_removal is (check is not None)


def test_breakers_are_the_configurations(make_cluster: Cluster) -> None:
    keys = {"max_connections": 1, "max_pending_requests": 2, "max_requests": 3, "max_retries": 0}
    breakers = make_cluster(circuit_breaker=keys).circuit_breakers
    assert breakers is not None
    (threshold,) = breakers.thresholds
    assert {key: getattr(threshold, key) for key in keys} == keys


def test_an_agents_own_500_never_ejects_its_host(make_cluster: Cluster) -> None:
    detection = make_cluster(outlier_detection={"max_ejection_percent": 50}).outlier_detection
    assert detection is not None
    assert detection.consecutive_gateway_failure == 5
    assert detection.enforcing_consecutive_gateway_failure == 100
    assert detection.enforcing_consecutive_5xx == 0
    assert detection.enforcing_success_rate == 0
    assert detection.max_ejection_percent == 50


def test_outlier_detection_can_be_turned_off(make_cluster: Cluster) -> None:
    keys = {"consecutive_gateway_failure": 0}
    assert make_cluster(outlier_detection=keys).outlier_detection is None


def test_idle_connections_are_closed_before_common_servers_close_them(
    make_cluster: Cluster,
) -> None:
    common = http_options(make_cluster()).common_http_protocol_options
    assert common is not None
    assert common.idle_timeout == timedelta(seconds=4)


def test_http_1_with_trailers_unless_http_2_is_asked_for(make_cluster: Cluster) -> None:
    version = http_options(make_cluster()).explicit_http_config
    assert version is not None
    assert version.http_protocol_options is not None
    assert version.http_protocol_options.enable_trailers
    version = http_options(make_cluster(http2=True)).explicit_http_config
    assert version is not None
    assert version.http2_protocol_options is not None


def test_an_agents_answer_is_stripped_of_our_headers(make_cluster: Cluster) -> None:
    assert [each.name for each in http_options(make_cluster()).http_filters] == [
        "envoy.filters.http.header_mutation",
        "envoy.filters.http.upstream_codec",
    ]


def test_only_https_is_tls(make_cluster: Cluster) -> None:
    assert make_cluster("http://a").transport_socket is None
    assert make_cluster("https://a").transport_socket is not None


def test_each_worker_is_an_endpoint_and_is_checked_each_second(make_topology: Make) -> None:
    cluster = processor_cluster(make_topology())
    worker = PipeAddress("/run/worker-0.sock")
    assert cluster.load_assignment == load_assignment("processor", worker)
    (check,) = cluster.health_checks
    assert check.interval == check.no_traffic_interval == timedelta(seconds=1)
    assert check.timeout is not None
    assert timedelta(seconds=1) <= check.timeout <= timedelta(seconds=5)
    assert check.grpc_health_check is not None
    service = "envoy.service.ext_proc.v3.ExternalProcessor"
    assert check.grpc_health_check.service_name == service


def test_a_worker_that_is_back_is_used_at_once(make_topology: Make) -> None:
    cluster = processor_cluster(make_topology())
    (check,) = cluster.health_checks
    assert check.unhealthy_interval == timedelta(milliseconds=100)
    assert cluster.common_lb_config is not None
    assert cluster.common_lb_config.update_merge_window == timedelta(0)


def test_the_processor_is_never_the_narrowest_part(make_topology: Make) -> None:
    cluster = processor_cluster(make_topology())
    assert cluster.per_connection_buffer_limit_bytes == 2**30
    assert cluster.circuit_breakers is not None
    (threshold,) = cluster.circuit_breakers.thresholds
    limits = (threshold.max_requests, threshold.max_pending_requests, threshold.max_retries)
    assert limits == (2**32 - 1,) * 3


def test_the_processor_speaks_http_2(make_topology: Make) -> None:
    version = http_options(processor_cluster(make_topology())).explicit_http_config
    assert version is not None
    assert version.http2_protocol_options is not None


def test_the_processor_is_reached_by_tls_where_that_is_told(make_topology: Make) -> None:
    plain = make_topology()
    assert processor_cluster(plain).transport_socket is None
    told = replace(plain, processor_tls=ProcessorTls("/ca.crt", san="processor.test"))
    socket = processor_cluster(told).transport_socket
    assert socket is not None
    assert socket.name == "envoy.transport_sockets.tls"
