"""The bootstrap: the whole of a standalone Envoy."""

from __future__ import annotations

from envoy_data_plane.envoy.config.bootstrap import v3 as bootstrap_v3
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as listener_v3
from envoy_data_plane.envoy.config.overload import v3 as overload
from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections import (
    v3 as downstream_connections,
)
from envoy_data_plane.google.protobuf import Any

from extproc.envoyconf.resources.addresses import address
from extproc.envoyconf.resources.clusters import processor_cluster, upstream_cluster
from extproc.envoyconf.resources.egress import egress_listener
from extproc.envoyconf.resources.listeners import agent_listener
from extproc.envoyconf.topology import Topology


def bootstrap(topology: Topology) -> bootstrap_v3.Bootstrap:
    """Return the bootstrap for `topology`, everything in it static."""
    return bootstrap_v3.Bootstrap(
        node=core.Node(id="outerloop", cluster="outerloop"),
        admin=bootstrap_v3.Admin(
            address=address(topology.admin),
            # The admin must answer when clients have taken every connection.
            ignore_global_conn_limit=True,
        ),
        static_resources=bootstrap_v3.BootstrapStaticResources(
            listeners=_listeners(topology),
            clusters=[processor_cluster(topology), *map(upstream_cluster, topology.clusters)],
        ),
        overload_manager=_connections_of_all_listeners(topology.max_connections),
    )


def _listeners(topology: Topology) -> list[listener_v3.Listener]:
    listeners = [agent_listener(each, topology) for each in topology.listeners]
    if topology.egress is not None:
        listeners.append(egress_listener(topology.egress, topology.limits))
    return listeners


def _connections_of_all_listeners(limit: int) -> overload.OverloadManager:
    """Return the ceiling that Envoy asks for beside each listener's own."""
    return overload.OverloadManager(
        resource_monitors=[
            overload.ResourceMonitor(
                name="envoy.resource_monitors.global_downstream_max_connections",
                typed_config=Any.pack(
                    downstream_connections.DownstreamConnectionsConfig(
                        max_active_downstream_connections=limit
                    )
                ),
            )
        ]
    )
