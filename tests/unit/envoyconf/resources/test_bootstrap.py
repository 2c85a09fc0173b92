from __future__ import annotations

from collections.abc import Callable

from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections import (
    v3 as downstream_connections,
)

from extproc.address import PipeAddress
from extproc.envoyconf.resources.addresses import address
from extproc.envoyconf.resources.bootstrap import bootstrap
from extproc.envoyconf.topology import Topology

Make = Callable[..., Topology]


def test_every_listener_and_cluster_is_in_it(make_topology: Make) -> None:
    topology = make_topology({"id": "a", "url": "http://a"}, {"id": "b", "url": "http://b"})
    resources = bootstrap(topology).static_resources
    assert resources is not None
    assert [listener.name for listener in resources.listeners] == ["travel"]
    assert [cluster.name for cluster in resources.clusters] == ["processor", "agent/a", "agent/b"]


def test_the_admin_stays_reachable_when_every_connection_is_taken(make_topology: Make) -> None:
    admin = bootstrap(make_topology()).admin
    assert admin is not None
    assert admin.address == address(PipeAddress("/run/envoy.sock"))
    assert admin.ignore_global_conn_limit


def test_a_ceiling_for_all_listeners_together_limits_none_of_them(make_topology: Make) -> None:
    manager = bootstrap(make_topology()).overload_manager
    assert manager is not None
    (monitor,) = manager.resource_monitors
    assert monitor.typed_config is not None
    config = monitor.typed_config.unpack()
    assert isinstance(config, downstream_connections.DownstreamConnectionsConfig)
    assert config.max_active_downstream_connections == 2**31 - 1
