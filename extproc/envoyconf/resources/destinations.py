"""How a route reaches a service: the same for the routes of clients and of the processor."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.type import v3 as type_v3

from extproc.envoyconf.resources.retries import agent_retries, takeover_retries
from extproc.envoyconf.upstreams import Destination, Takeover
from extproc.forwarding import CREDENTIALS


def route_action(to: Destination, *, rewrite_prefix: str = "") -> route.RouteAction:
    """Return the action that sends requests to a destination.

    `rewrite_prefix` is the path that the route matches, where the destination's own goes before it.
    """
    first = to.shares[0]
    split = len(to.shares) > 1
    return route.RouteAction(
        cluster=None if split else first.cluster,
        weighted_clusters=_weighted(to) if split else None,
        prefix_rewrite=to.path_prefix + rewrite_prefix if to.path_prefix else "",
        host_rewrite_literal=None if to.own_authorities else first.authority or None,
        auto_host_rewrite=True if to.own_authorities else None,
        hash_policy=_hash_policy(to),
        request_mirror_policies=_mirrors(to),
        timeout=to.timeout,
        idle_timeout=to.idle_timeout,
        retry_policy=(
            takeover_retries(to.retries)
            if isinstance(to.retries, Takeover)
            else agent_retries(to.retries, failover=to.failover)
        ),
    )


def removed_headers(to: Destination) -> list[str]:
    """Return the client's headers that a destination does not get."""
    return [] if to.forward_authorization else list(CREDENTIALS)


def _weighted(to: Destination) -> route.WeightedCluster:
    return route.WeightedCluster(
        clusters=[
            route.WeightedClusterClusterWeight(name=share.cluster, weight=share.weight)
            for share in to.shares
        ],
        use_hash_policy=True if to.affinity else None,
    )


def _hash_policy(to: Destination) -> list[route.RouteActionHashPolicy]:
    if to.affinity is None:
        return []
    header = route.RouteActionHashPolicyHeader(header_name=to.affinity)
    return [route.RouteActionHashPolicy(header=header)]


def _mirrors(to: Destination) -> list[route.RouteActionRequestMirrorPolicy]:
    if to.copies is None:
        return []
    share = type_v3.FractionalPercent(
        numerator=round(to.copies.percent * 10_000),
        denominator=type_v3.FractionalPercentDenominatorType.MILLION,
    )
    return [
        route.RouteActionRequestMirrorPolicy(
            cluster=to.copies.cluster,
            runtime_fraction=core.RuntimeFractionalPercent(default_value=share),
            host_rewrite_literal=to.copies.authority,
            disable_shadow_host_suffix_append=True,
        )
    ]
