"""Clusters: the agents, and the processor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.envoy.extensions.upstreams.http import v3 as upstreams
from envoy_data_plane.envoy.type import v3 as type_v3
from envoy_data_plane.google.protobuf import Any

from extproc import names
from extproc.address import Address, is_name
from extproc.config.model.agents import HealthCheck, LoadBalancing, OutlierDetection
from extproc.config.model.types import LARGEST_SIZE
from extproc.envoyconf.files import Folder
from extproc.envoyconf.resources.addresses import load_assignment
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.hosts import cluster_metadata, grouped_assignment
from extproc.envoyconf.resources.sources import endpoints_from
from extproc.envoyconf.resources.tls import processor_tls, upstream_tls, upstream_tls_by_host
from extproc.envoyconf.resources.upstream_filters import upstream_filters
from extproc.envoyconf.topology import PROCESSOR_CLUSTER, Topology
from extproc.envoyconf.upstreams import UpstreamCluster

_CONNECT_TIMEOUT: Final = timedelta(seconds=5)
_CHECK_TIMEOUT: Final = timedelta(seconds=3)
_UPSTREAM_IDLE: Final = timedelta(seconds=4)
"""Common servers close idle connections after 5 s: Envoy must be first, or a request meets it."""

_POLICIES: Final[Mapping[LoadBalancing, cluster_v3.ClusterLbPolicy]] = {
    "round_robin": cluster_v3.ClusterLbPolicy.ROUND_ROBIN,
    "least_request": cluster_v3.ClusterLbPolicy.LEAST_REQUEST,
    "random": cluster_v3.ClusterLbPolicy.RANDOM,
    "ring_hash": cluster_v3.ClusterLbPolicy.RING_HASH,
    "maglev": cluster_v3.ClusterLbPolicy.MAGLEV,
}

_HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_NO_LIMIT: Final = 2**32 - 1
_SECOND: Final = timedelta(seconds=1)
_BUSY: Final = timedelta(seconds=5)
_RECOVERY: Final = timedelta(milliseconds=100)
"""How soon a replaced worker is noticed: until then the others carry its load."""


def upstream_cluster(cluster: UpstreamCluster, folder: Folder) -> cluster_v3.Cluster:
    """Return the Envoy cluster for one agent, one variant of it, or another service.

    Its secrets are in `folder`.
    """
    breaker = cluster.circuit_breaker
    discovery = cluster_v3.ClusterDiscoveryType
    apart = has_endpoints(cluster, folder)
    by_address = discovery.EDS if apart else discovery.STATIC
    return cluster_v3.Cluster(
        name=cluster.name,
        type=by_address if cluster.literal else discovery.STRICT_DNS,
        eds_cluster_config=endpoints_from(folder, cluster) if apart else None,
        dns_lookup_family=cluster_v3.ClusterDnsLookupFamily.V4_PREFERRED,
        connect_timeout=_CONNECT_TIMEOUT,
        lb_policy=_POLICIES[cluster.load_balancing],
        load_assignment=None if apart else grouped_assignment(cluster),
        metadata=cluster_metadata(cluster),
        circuit_breakers=_breakers(
            connections=breaker.max_connections,
            pending=breaker.max_pending_requests,
            requests=breaker.max_requests,
            retries=breaker.max_retries,
        ),
        outlier_detection=_outlier_detection(cluster.outlier_detection),
        health_checks=_health_checks(cluster.health_check),
        # By default a host that was taken away gets requests as long as it is healthy.
        ignore_health_on_host_removal=cluster.health_check is not None,
        upstream_connection_options=cluster_v3.UpstreamConnectionOptions(
            tcp_keepalive=core.TcpKeepalive(
                keepalive_probes=3, keepalive_time=30, keepalive_interval=5
            )
        ),
        transport_socket=upstream_tls(cluster),
        transport_socket_matches=upstream_tls_by_host(cluster),
        typed_extension_protocol_options=http_options(
            upstream_filters(cluster, folder), http2=cluster.http2
        ),
    )


def has_endpoints(cluster: UpstreamCluster, folder: Folder) -> bool:
    """Tell whether the hosts come and go while the cluster stays, with its health and counts.

    Names are Envoy's to resolve, and what TLS expects of a host is the cluster's. One host alone is
    not worth its file: Envoy can watch few.
    """
    several = len(cluster.hosts) > 1 and bool(cluster.agent)
    return folder.dynamic and several and cluster.literal and cluster.tls is None


def processor_cluster(topology: Topology) -> cluster_v3.Cluster:
    """Return the cluster of the processor's workers, each an endpoint of its own.

    It has no limits of its own: those of the clients hold, and what they may be changes while it
    stays.
    """
    return cluster_v3.Cluster(
        name=PROCESSOR_CLUSTER,
        type=_discovery(topology.processor),
        dns_lookup_family=cluster_v3.ClusterDnsLookupFamily.V4_PREFERRED,
        connect_timeout=_SECOND,
        per_connection_buffer_limit_bytes=LARGEST_SIZE,
        lb_policy=cluster_v3.ClusterLbPolicy.LEAST_REQUEST,
        # Default 1 s: for that long after a worker is back, no request would reach it.
        common_lb_config=cluster_v3.ClusterCommonLbConfig(
            update_merge_window=timedelta(),
            # Half of the addresses or more have nobody who listens: never try them in despair.
            healthy_panic_threshold=type_v3.Percent(value=0.0),
        ),
        load_assignment=load_assignment(PROCESSOR_CLUSTER, *topology.processor),
        health_checks=[
            core.HealthCheck(
                timeout=_patience(topology),
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
        circuit_breakers=unlimited(),
        transport_socket=processor_tls(topology),
        typed_extension_protocol_options={
            _HTTP_OPTIONS: Packed(
                upstreams.HttpProtocolOptions(explicit_http_config=_http_version(http2=True))
            )
        },
    )


def _patience(topology: Topology) -> timedelta:
    """Return how long a worker may take to say that it is well.

    One that thousands of requests have come to at once answers after them. But one that stands
    still must be left out before Envoy asks again about the first request that it has had.
    """
    decided = min((each.message_timeout for each in topology.listeners), default=_BUSY)
    return max(_SECOND, min(_BUSY, decided / 2))


def _discovery(addresses: tuple[Address, ...]) -> cluster_v3.ClusterDiscoveryType:
    """Return how addresses are found: a name may stand for many, as that of a headless Service."""
    kinds = cluster_v3.ClusterDiscoveryType
    return kinds.STRICT_DNS if any(map(is_name, addresses)) else kinds.STATIC


def http_options(filters: list[hcm.HttpFilter], *, http2: bool = False) -> dict[str, Any]:
    """Return how a cluster speaks HTTP, and its filters, the codec among them."""
    return {
        _HTTP_OPTIONS: Packed(
            upstreams.HttpProtocolOptions(
                common_http_protocol_options=core.HttpProtocolOptions(idle_timeout=_UPSTREAM_IDLE),
                explicit_http_config=_http_version(http2=http2),
                http_filters=filters,
            )
        )
    }


def unlimited() -> cluster_v3.CircuitBreakers:
    """Return breakers that never trip: Envoy's defaults would."""
    return _breakers(
        connections=_NO_LIMIT, pending=_NO_LIMIT, requests=_NO_LIMIT, retries=_NO_LIMIT
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


def _health_checks(check: HealthCheck | None) -> list[core.HealthCheck]:
    if check is None:
        return []
    return [
        core.HealthCheck(
            timeout=min(check.interval, _CHECK_TIMEOUT),
            interval=check.interval,
            # Default 60 s: an agent that nobody asked for a while may be down for as long.
            no_traffic_interval=check.interval,
            unhealthy_threshold=2,
            healthy_threshold=1,
            http_health_check=core.HealthCheckHttpHealthCheck(path=check.path),
        )
    ]
