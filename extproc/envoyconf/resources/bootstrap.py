"""The bootstrap: the whole of a standalone Envoy."""

from __future__ import annotations

from envoy_data_plane.envoy.config.bootstrap import v3 as bootstrap_v3
from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as listener_v3
from envoy_data_plane.envoy.config.overload import v3 as overload
from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections import (
    v3 as downstream_connections,
)

from extproc.envoyconf.files import CLUSTERS, LISTENERS, Folder
from extproc.envoyconf.resources.addresses import address
from extproc.envoyconf.resources.chains import chain_cluster, hop_cluster
from extproc.envoyconf.resources.clusters import processor_cluster, upstream_cluster
from extproc.envoyconf.resources.egress import egress_listener
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.listeners import agent_listener
from extproc.envoyconf.resources.sources import file_source
from extproc.envoyconf.topology import Cluster, Topology
from extproc.envoyconf.upstreams import Chain, Hop


def bootstrap(topology: Topology) -> bootstrap_v3.Bootstrap:
    """Return the bootstrap for `topology`: all of it, or where Envoy finds what may change."""
    dynamic = topology.folder.dynamic
    return bootstrap_v3.Bootstrap(
        node=core.Node(id="outerloop", cluster="outerloop"),
        admin=bootstrap_v3.Admin(
            address=address(topology.admin),
            # The admin must answer when clients have taken every connection.
            ignore_global_conn_limit=True,
        ),
        static_resources=bootstrap_v3.BootstrapStaticResources(
            listeners=[] if dynamic else listeners(topology),
            clusters=[processor_cluster(topology), *([] if dynamic else clusters(topology))],
        ),
        dynamic_resources=_changing(topology.folder) if dynamic else None,
        overload_manager=_connections_of_all_listeners(),
    )


def listeners(topology: Topology) -> list[listener_v3.Listener]:
    """Return all listeners."""
    every = [agent_listener(each, topology) for each in topology.listeners]
    if topology.egress is not None:
        every.append(egress_listener(topology.egress, topology))
    return every


def clusters(topology: Topology) -> list[cluster_v3.Cluster]:
    """Return all clusters that follow from the configuration."""
    return [_cluster(each, topology.folder) for each in topology.clusters]


def _cluster(cluster: Cluster, folder: Folder) -> cluster_v3.Cluster:
    if isinstance(cluster, Hop):
        return hop_cluster(cluster)
    if isinstance(cluster, Chain):
        return chain_cluster(cluster)
    return upstream_cluster(cluster, folder)


def _changing(folder: Folder) -> bootstrap_v3.BootstrapDynamicResources:
    return bootstrap_v3.BootstrapDynamicResources(
        lds_config=file_source(folder / LISTENERS), cds_config=file_source(folder / CLUSTERS)
    )


def _connections_of_all_listeners() -> overload.OverloadManager:
    """Return a ceiling that Envoy asks for; what counts is each listener's own."""
    return overload.OverloadManager(
        resource_monitors=[
            overload.ResourceMonitor(
                name="envoy.resource_monitors.global_downstream_max_connections",
                typed_config=Packed(
                    downstream_connections.DownstreamConnectionsConfig(
                        max_active_downstream_connections=2**31 - 1
                    )
                ),
            )
        ]
    )
