"""Addresses as Envoy spells them."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint

from extproc.address import Address, PipeAddress


def address(where: Address) -> core.Address:
    """Return `where` for binding or connecting."""
    if isinstance(where, PipeAddress):
        return core.Address(pipe=core.Pipe(path=where.path))
    return core.Address(
        socket_address=core.SocketAddress(address=where.host, port_value=where.port)
    )


def load_assignment(
    cluster: str, *endpoints: Address, hostname: str = ""
) -> endpoint.ClusterLoadAssignment:
    """Return the endpoints of `cluster`, all of one priority, weight and host name."""
    return endpoint.ClusterLoadAssignment(
        cluster_name=cluster,
        endpoints=[
            endpoint.LocalityLbEndpoints(
                lb_endpoints=[
                    endpoint.LbEndpoint(
                        endpoint=endpoint.Endpoint(address=address(each), hostname=hostname)
                    )
                    for each in endpoints
                ]
            )
        ],
    )
