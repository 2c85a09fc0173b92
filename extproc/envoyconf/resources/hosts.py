"""The hosts of an agent's cluster, and what each of them is called."""

from __future__ import annotations

from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint
from envoy_data_plane.google.protobuf import Struct

from extproc import names
from extproc.envoyconf.resources.addresses import address
from extproc.envoyconf.upstreams import UpstreamCluster
from extproc.origin import Origin

AGENT_KEY: Final = "agent"
VARIANT_KEY: Final = "variant"
"""In the metadata of a cluster and its hosts: whose requests it gets."""

TLS_MATCH: Final = "envoy.transport_socket_match"
TLS_HOST_KEY: Final = "host"
"""In the metadata of a host: by which name its certificate is checked."""

_ALL_IN_ONE: Final = 1_000_000
"""Percent: while one host of a group is healthy no other group is used, nor any sick host.

By default Envoy sends a share of the requests elsewhere when less than 72 % of a group is healthy,
and when less than half is, to sick hosts too.
"""


def grouped_assignment(cluster: UpstreamCluster) -> endpoint.ClusterLoadAssignment:
    """Return the hosts of `cluster`, each group with a priority of its own."""
    return endpoint.ClusterLoadAssignment(
        cluster_name=cluster.name,
        policy=endpoint.ClusterLoadAssignmentPolicy(overprovisioning_factor=_ALL_IN_ONE),
        endpoints=[
            endpoint.LocalityLbEndpoints(
                priority=priority,
                lb_endpoints=[_endpoint(cluster, each) for each in group],
            )
            for priority, group in enumerate(cluster.groups)
        ],
    )


def cluster_metadata(cluster: UpstreamCluster) -> core.Metadata | None:
    """Return what a cluster is called, None for one that is no agent's."""
    if not cluster.agent:
        return None
    called = {AGENT_KEY: cluster.agent}
    if cluster.variant:
        called[VARIANT_KEY] = cluster.variant
    return core.Metadata(filter_metadata={names.METADATA_NAMESPACE: Struct.from_dict(called)})


def _endpoint(cluster: UpstreamCluster, origin: Origin) -> endpoint.LbEndpoint:
    metadata = None
    if cluster.tls is not None and origin.host != cluster.hosts[0].host:
        metadata = core.Metadata(
            filter_metadata={TLS_MATCH: Struct.from_dict({TLS_HOST_KEY: origin.host})}
        )
    return endpoint.LbEndpoint(
        endpoint=endpoint.Endpoint(
            address=address(origin.address),
            # What the `host` header becomes where hosts have their own.
            hostname=origin.authority,
        ),
        metadata=metadata,
    )
