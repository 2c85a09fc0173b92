from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from envoy_data_plane.envoy.extensions.filters.network.connection_limit import (
    v3 as connection_limit,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.envoy.extensions.request_id.uuid import v3 as request_id

from extproc.address import SocketAddress
from extproc.envoyconf.resources.addresses import address
from extproc.envoyconf.resources.listeners import agent_listener, connection_manager
from extproc.envoyconf.topology import Topology
from extproc.plan import LONGEST_WAIT

Make = Callable[..., Topology]


@pytest.fixture
def manager(make_topology: Make) -> hcm.HttpConnectionManager:
    topology = make_topology(
        limits={"request_timeout": "9s", "request_headers_timeout": "3s"},
        observability={"access_log": "/log"},
    )
    return connection_manager(topology.listeners[0], topology)


def test_a_listener_is_bounded_in_bytes_and_connections(make_topology: Make) -> None:
    topology = make_topology(limits={"max_request_bytes": "5MiB", "max_connections": 7})
    listener = agent_listener(topology.listeners[0], topology)
    assert listener.name == "travel"
    assert listener.address == address(SocketAddress("127.0.0.1", 8001))
    assert listener.per_connection_buffer_limit_bytes == 5 * 2**20
    first, second = listener.filter_chains[0].filters
    assert first.typed_config is not None
    limit = first.typed_config.unpack()
    assert isinstance(limit, connection_limit.ConnectionLimit)
    assert limit.max_connections == 7
    assert second.name == "envoy.filters.network.http_connection_manager"


def test_a_port_that_is_taken_is_an_error(make_topology: Make) -> None:
    topology = make_topology()
    assert agent_listener(topology.listeners[0], topology).enable_reuse_port is False


def test_both_versions_of_http_with_trailers(manager: hcm.HttpConnectionManager) -> None:
    assert manager.codec_type.name == "AUTO"
    assert manager.http_protocol_options is not None
    assert manager.http_protocol_options.enable_trailers


def test_answers_pass_as_sent(manager: hcm.HttpConnectionManager) -> None:
    assert manager.server_header_transformation.name == "PASS_THROUGH"
    assert manager.via == ""


def test_a_request_id_of_the_client_stays(manager: hcm.HttpConnectionManager) -> None:
    assert manager.preserve_external_request_id
    assert manager.request_id_extension is not None
    assert manager.request_id_extension.typed_config is not None
    config = manager.request_id_extension.typed_config.unpack()
    # Nor does it decide whether the request is traced: few are of Envoy's kind.
    assert config == request_id.UuidRequestIdConfig(
        pack_trace_reason=False, use_request_id_for_trace_sampling=False
    )


def test_slow_clients_are_bounded_and_slow_decisions_are_not_cut(
    manager: hcm.HttpConnectionManager,
) -> None:
    assert manager.request_timeout == timedelta(seconds=9)
    assert manager.request_headers_timeout == timedelta(seconds=3)
    assert manager.stream_idle_timeout is not None
    assert manager.stream_idle_timeout > LONGEST_WAIT
    assert manager.stream_flush_timeout == timedelta(minutes=5)


def test_no_client_is_trusted(manager: hcm.HttpConnectionManager) -> None:
    assert manager.use_remote_address
    assert manager.internal_address_config == hcm.HttpConnectionManagerInternalAddressConfig()
    (early,) = manager.early_header_mutation_extensions
    assert early.name == "envoy.http.early_header_mutation.header_mutation"


def test_paths_are_normalized(manager: hcm.HttpConnectionManager) -> None:
    assert manager.normalize_path
    assert manager.merge_slashes


def test_upgrades_are_ordinary_requests(manager: hcm.HttpConnectionManager) -> None:
    assert manager.upgrade_configs == []
    assert manager.http_protocol_options is not None
    assert len(manager.http_protocol_options.ignore_http_11_upgrade) == 1


def test_the_access_log_is_the_observabilitys(manager: hcm.HttpConnectionManager) -> None:
    log, *measures = manager.access_log
    assert log.name == "envoy.access_loggers.file"
    assert {each.name for each in measures} == {"envoy.access_loggers.stats"}
