"""An agent listener: its socket, its connections, its HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as listener_v3
from envoy_data_plane.envoy.extensions.filters.network.connection_limit import (
    v3 as connection_limit,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm

from extproc.envoyconf.resources.access_log import access_logs
from extproc.envoyconf.resources.addresses import address
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.headers import early_mutation, unmarked_ids
from extproc.envoyconf.resources.http_filters import http_filters
from extproc.envoyconf.resources.local_replies import local_reply_config
from extproc.envoyconf.resources.matchers import matching
from extproc.envoyconf.resources.measures import measures
from extproc.envoyconf.resources.routes import route_configuration
from extproc.envoyconf.resources.sources import routes_from
from extproc.envoyconf.resources.tls import downstream_tls
from extproc.envoyconf.resources.tracing import of_requests
from extproc.envoyconf.topology import AgentListener, Topology
from extproc.plan import LONGEST_WAIT

_CONNECTION_IDLE: Final = timedelta(minutes=5)
_SLACK: Final = timedelta(minutes=1)


def agent_listener(listener: AgentListener, topology: Topology) -> listener_v3.Listener:
    """Return the Envoy listener for `listener`."""
    limits = topology.limits
    filters = [
        (
            "envoy.filters.network.connection_limit",
            connection_limit.ConnectionLimit(
                stat_prefix=listener.name, max_connections=limits.max_connections
            ),
        ),
        (
            "envoy.filters.network.http_connection_manager",
            connection_manager(listener, topology),
        ),
    ]
    return listener_v3.Listener(
        name=listener.name,
        address=address(listener.address),
        filter_chains=[
            listener_v3.FilterChain(
                filters=[
                    listener_v3.Filter(name=name, typed_config=Packed(config))
                    for name, config in filters
                ],
                transport_socket=downstream_tls(listener, topology.folder),
            )
        ],
        # A buffered body must fit, or Envoy answers 413 below the limit.
        per_connection_buffer_limit_bytes=limits.max_request_bytes,
        # Draining is for these: plans that still run need the way out.
        traffic_direction=core.TrafficDirection.INBOUND,
        # With it a port that is taken would be shared in silence.
        enable_reuse_port=False,
    )


def connection_manager(listener: AgentListener, topology: Topology) -> hcm.HttpConnectionManager:
    """Return how `listener` speaks HTTP with its clients, HTTP/1.1 and HTTP/2 alike."""
    limits, folder = topology.limits, topology.folder
    return hcm.HttpConnectionManager(
        codec_type=hcm.HttpConnectionManagerCodecType.AUTO,
        stat_prefix=f"agents.{listener.name}",
        route_config=None if folder.dynamic else route_configuration(listener),
        rds=routes_from(folder, listener.name) if folder.dynamic else None,
        http_filters=http_filters(listener, topology),
        common_http_protocol_options=core.HttpProtocolOptions(idle_timeout=_CONNECTION_IDLE),
        http_protocol_options=core.Http1ProtocolOptions(
            enable_trailers=True,
            # Without upgrades a request for one is an ordinary request (RFC 9110, section 7.8).
            ignore_http_11_upgrade=[matching(".*")],
        ),
        http2_protocol_options=core.Http2ProtocolOptions(
            # One bad request must not end its neighbours on the connection.
            override_stream_error_on_invalid_http_message=True
        ),
        # Answers pass as the agent sent them: its server header, or none.
        server_header_transformation=hcm.HttpConnectionManagerServerHeaderTransformation.PASS_THROUGH,
        # While a plan runs nothing moves: an agent's route has an idle timeout of its own.
        stream_idle_timeout=LONGEST_WAIT + _SLACK,
        stream_flush_timeout=_CONNECTION_IDLE,
        request_timeout=limits.request_timeout,
        request_headers_timeout=limits.request_headers_timeout,
        access_log=[
            *access_logs(listener.name, topology.access_log),
            *measures(count_tokens=topology.count_tokens),
        ],
        tracing=of_requests(topology.tracing, listener.name),
        use_remote_address=True,
        # No client is trusted for its address.
        internal_address_config=hcm.HttpConnectionManagerInternalAddressConfig(),
        early_header_mutation_extensions=[early_mutation(listener.name)],
        preserve_external_request_id=True,
        request_id_extension=unmarked_ids(),
        normalize_path=True,
        merge_slashes=True,
        local_reply_config=local_reply_config(),
    )
