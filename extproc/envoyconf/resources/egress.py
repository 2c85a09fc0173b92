"""The listener for the processor's own calls, and for agents that take over for others.

Nothing is decided here, so that nothing can loop.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as listener_v3
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm

from extproc import names
from extproc.config.model.root import Limits
from extproc.envoyconf.files import EGRESS
from extproc.envoyconf.resources.addresses import address
from extproc.envoyconf.resources.destinations import removed_headers, route_action
from extproc.envoyconf.resources.ext_proc import model_processor, whole_requests
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.headers import (
    early_target,
    header_option,
    served_by,
    unmarked_ids,
)
from extproc.envoyconf.resources.http_filters import (
    BUFFER,
    body_buffer,
    buffer_enabled,
    router_filter,
)
from extproc.envoyconf.resources.local_replies import local_reply_config
from extproc.envoyconf.resources.matchers import header_is
from extproc.envoyconf.resources.measures import measures, token_filters
from extproc.envoyconf.resources.sources import routes_from
from extproc.envoyconf.resources.tracing import of_calls
from extproc.envoyconf.topology import EgressListener, EgressRoute, Topology

MODEL: Final = "outerloop.model"
_CALLERS: Final = timedelta()
"""No timeout of Envoy's: each call has the caller's deadline, which ends its stream."""


def egress_listener(listener: EgressListener, topology: Topology) -> listener_v3.Listener:
    """Return the listener; a call's `x-outerloop-target` names its route.

    Envoy's own answers carry `x-outerloop-error`, which no target can send.
    """
    folder = topology.folder
    manager = hcm.HttpConnectionManager(
        codec_type=hcm.HttpConnectionManagerCodecType.AUTO,
        stat_prefix="egress",
        route_config=None if folder.dynamic else egress_routes(listener, topology.limits),
        rds=routes_from(folder, EGRESS) if folder.dynamic else None,
        http_filters=[
            # Only where an agent takes over: an answer to what has not come whole, such as that
            # this agent is down too, would end the connection, and may be lost with it.
            hcm.HttpFilter(
                name=BUFFER,
                typed_config=body_buffer(topology.limits.max_request_bytes),
                disabled=True,
            ),
            # Asked only where an agent takes over that wants another model.
            hcm.HttpFilter(name=MODEL, typed_config=model_processor()),
            *token_filters(count_tokens=topology.count_tokens),
            router_filter(),
        ],
        access_log=measures(count_tokens=topology.count_tokens),
        stream_idle_timeout=_CALLERS,
        # What a chain passes on has its trailers, as on the way to an agent alone.
        http_protocol_options=core.Http1ProtocolOptions(enable_trailers=True),
        server_header_transformation=hcm.HttpConnectionManagerServerHeaderTransformation.PASS_THROUGH,
        early_header_mutation_extensions=[early_target()],
        preserve_external_request_id=True,
        request_id_extension=unmarked_ids(),
        # An answer that was cut is to be seen at once: by default the connection stays a second.
        delayed_close_timeout=timedelta(),
        local_reply_config=local_reply_config(),
        tracing=of_calls(topology.tracing),
    )
    return listener_v3.Listener(
        name=EGRESS,
        address=address(listener.address),
        traffic_direction=core.TrafficDirection.OUTBOUND,
        filter_chains=[
            listener_v3.FilterChain(
                filters=[
                    listener_v3.Filter(
                        name="envoy.filters.network.http_connection_manager",
                        typed_config=Packed(manager),
                    )
                ]
            )
        ],
        # A call's body is kept for a retry.
        per_connection_buffer_limit_bytes=topology.limits.max_request_bytes,
        # Clients that take every connection must not keep the processor from deciding.
        ignore_global_conn_limit=True,
    )


def egress_routes(listener: EgressListener, limits: Limits) -> route.RouteConfiguration:
    """Return the routes to all that the processor calls."""
    return route.RouteConfiguration(
        name=EGRESS,
        virtual_hosts=[
            route.VirtualHost(
                name=EGRESS,
                domains=["*"],
                routes=[_to_target(each, limits) for each in listener.routes],
                request_headers_to_remove=[names.HEADER_TARGET],
            )
        ],
    )


def _to_target(to: EgressRoute, limits: Limits) -> route.Route:
    action = replace(route_action(to.to), prefix_rewrite=to.rewrite)
    return route.Route(
        name=f"target/{to.target}",
        match=route.RouteMatch(prefix=to.path, headers=[header_is(names.HEADER_TARGET, to.target)]),
        route=action,
        typed_per_filter_config=(buffer_enabled(limits.max_request_bytes) if to.agent else {})
        | ({MODEL: whole_requests()} if to.new_model else {}),
        request_headers_to_add=([header_option(names.HEADER_AGENT, to.agent)] if to.agent else []),
        request_headers_to_remove=removed_headers(to.to),
        response_headers_to_add=served_by(to.agent) if to.agent else [],
    )
