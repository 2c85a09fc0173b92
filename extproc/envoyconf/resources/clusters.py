"""Clusters: the agents, and the processor."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.http.upstream_codec import v3 as upstream_codec
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.envoy.extensions.upstreams.http import v3 as upstreams
from envoy_data_plane.google.protobuf import Any

from extproc import names
from extproc.address import SocketAddress, is_ip
from extproc.config.model.agents import OutlierDetection
from extproc.envoyconf.resources import headers
from extproc.envoyconf.resources.addresses import load_assignment
from extproc.envoyconf.resources.tls import upstream_tls
from extproc.envoyconf.topology import PROCESSOR_CLUSTER, Topology, UpstreamCluster

_CONNECT_TIMEOUT: Final = timedelta(seconds=5)
_UPSTREAM_IDLE: Final = timedelta(seconds=4)
"""Common servers close idle connections after 5 s: Envoy must be first, or a request meets it."""

_HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_SECOND: Final = timedelta(seconds=1)
_RECOVERY: Final = timedelta(milliseconds=100)
"""How soon a replaced worker is noticed: until then the others carry its load."""


def upstream_cluster(cluster: UpstreamCluster) -> cluster_v3.Cluster:
    """Return the Envoy cluster for one agent."""
    origin = cluster.origin
    host = "127.0.0.1" if origin.host == "localhost" else origin.host
    breaker = cluster.circuit_breaker
    discovery = cluster_v3.ClusterDiscoveryType
    return cluster_v3.Cluster(
        name=cluster.name,
        type=discovery.STATIC if is_ip(host) else discovery.STRICT_DNS,
        dns_lookup_family=cluster_v3.ClusterDnsLookupFamily.V4_PREFERRED,
        connect_timeout=_CONNECT_TIMEOUT,
        lb_policy=cluster_v3.ClusterLbPolicy.LEAST_REQUEST,
        load_assignment=load_assignment(cluster.name, SocketAddress(host, origin.port)),
        circuit_breakers=_breakers(
            connections=breaker.max_connections,
            pending=breaker.max_pending_requests,
            requests=breaker.max_requests,
            retries=breaker.max_retries,
        ),
        outlier_detection=_outlier_detection(cluster.outlier_detection),
        upstream_connection_options=cluster_v3.UpstreamConnectionOptions(
            tcp_keepalive=core.TcpKeepalive(
                keepalive_probes=3, keepalive_time=30, keepalive_interval=5
            )
        ),
        transport_socket=upstream_tls(cluster),
        typed_extension_protocol_options={
            _HTTP_OPTIONS: Any.pack(
                upstreams.HttpProtocolOptions(
                    common_http_protocol_options=core.HttpProtocolOptions(
                        idle_timeout=_UPSTREAM_IDLE
                    ),
                    explicit_http_config=_http_version(http2=cluster.http2),
                    http_filters=_upstream_filters(),
                )
            )
        },
    )


def processor_cluster(topology: Topology) -> cluster_v3.Cluster:
    """Return the cluster of the processor's workers, each an endpoint of its own.

    Its limits are those of the clients: it must never be what turns a request away.
    """
    limit = topology.max_connections
    return cluster_v3.Cluster(
        name=PROCESSOR_CLUSTER,
        type=cluster_v3.ClusterDiscoveryType.STATIC,
        connect_timeout=_SECOND,
        per_connection_buffer_limit_bytes=topology.limits.max_request_bytes,
        lb_policy=cluster_v3.ClusterLbPolicy.LEAST_REQUEST,
        # Default 1 s: for that long after a worker is back, no request would reach it.
        common_lb_config=cluster_v3.ClusterCommonLbConfig(update_merge_window=timedelta()),
        load_assignment=load_assignment(PROCESSOR_CLUSTER, *topology.processor),
        health_checks=[
            core.HealthCheck(
                timeout=_SECOND,
                interval=_SECOND,
                # Default 60 s: after a quiet spell a dead worker would be noticed that late.
                no_traffic_interval=_SECOND,
                unhealthy_interval=_RECOVERY,
                unhealthy_threshold=1,
                healthy_threshold=1,
                grpc_health_check=core.HealthCheckGrpcHealthCheck(
                    service_name=names.PROCESSOR_SERVICE
                ),
            )
        ],
        circuit_breakers=_breakers(connections=limit, pending=limit, requests=limit, retries=limit),
        typed_extension_protocol_options={
            _HTTP_OPTIONS: Any.pack(
                upstreams.HttpProtocolOptions(explicit_http_config=_http_version(http2=True))
            )
        },
    )


def _breakers(
    *, connections: int, pending: int, requests: int, retries: int
) -> cluster_v3.CircuitBreakers:
    return cluster_v3.CircuitBreakers(
        thresholds=[
            cluster_v3.CircuitBreakersThresholds(
                max_connections=connections,
                max_pending_requests=pending,
                max_requests=requests,
                max_retries=retries,
            )
        ]
    )


def _outlier_detection(detection: OutlierDetection) -> cluster_v3.OutlierDetection | None:
    """Return detection of gateway errors alone: an agent's own 500 is an answer, not a fault."""
    if not detection.consecutive_gateway_failure:
        return None
    return cluster_v3.OutlierDetection(
        consecutive_gateway_failure=detection.consecutive_gateway_failure,
        enforcing_consecutive_gateway_failure=100,
        enforcing_consecutive_5xx=0,
        enforcing_success_rate=0,
        interval=detection.interval,
        base_ejection_time=detection.base_ejection_time,
        max_ejection_percent=detection.max_ejection_percent,
    )


def _http_version(*, http2: bool) -> upstreams.HttpProtocolOptionsExplicitHttpConfig:
    if http2:
        return upstreams.HttpProtocolOptionsExplicitHttpConfig(
            http2_protocol_options=core.Http2ProtocolOptions()
        )
    return upstreams.HttpProtocolOptionsExplicitHttpConfig(
        http_protocol_options=core.Http1ProtocolOptions(enable_trailers=True)
    )


def _upstream_filters() -> list[hcm.HttpFilter]:
    return [
        hcm.HttpFilter(
            name="envoy.filters.http.header_mutation", typed_config=headers.from_agent()
        ),
        hcm.HttpFilter(
            name="envoy.filters.http.upstream_codec",
            typed_config=Any.pack(upstream_codec.UpstreamCodec()),
        ),
    ]
