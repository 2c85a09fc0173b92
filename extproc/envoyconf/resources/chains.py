"""Clusters of a chain of agents: see `envoyconf.fallbacks`."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.extensions.clusters.composite import v3 as composite

from extproc.envoyconf.resources.addresses import load_assignment
from extproc.envoyconf.resources.clusters import http_options, unlimited
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.upstreams import Chain, Hop

_CONNECT_TIMEOUT: Final = timedelta(seconds=1)


def chain_cluster(chain: Chain) -> cluster_v3.Cluster:
    """Return the cluster whose every attempt goes to the next of others."""
    entries = [composite.ClusterConfigClusterEntry(name=each) for each in chain.clusters]
    return cluster_v3.Cluster(
        name=chain.name,
        cluster_type=cluster_v3.ClusterCustomClusterType(
            name="envoy.clusters.composite",
            typed_config=Packed(composite.ClusterConfig(clusters=entries)),
        ),
        lb_policy=cluster_v3.ClusterLbPolicy.CLUSTER_PROVIDED,
        connect_timeout=_CONNECT_TIMEOUT,
        # The limits of the agents hold.
        circuit_breakers=unlimited(),
    )


def hop_cluster(hop: Hop) -> cluster_v3.Cluster:
    """Return the cluster that leads to a target of the egress listener."""
    return cluster_v3.Cluster(
        name=hop.name,
        type=cluster_v3.ClusterDiscoveryType.STATIC,
        connect_timeout=_CONNECT_TIMEOUT,
        load_assignment=load_assignment(hop.name, hop.listener, hostname=hop.target),
        circuit_breakers=unlimited(),
        typed_extension_protocol_options=http_options([]),
    )
