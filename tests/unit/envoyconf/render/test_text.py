from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import yaml
from betterproto2 import Message
from envoy_data_plane.envoy.config.bootstrap import v3 as bootstrap
from envoy_data_plane.envoy.config.cluster import v3 as cluster
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections.v3 import (
    DownstreamConnectionsConfig,
)
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode
from envoy_data_plane.google import protobuf

from extproc.envoyconf.render.text import as_json, as_yaml
from extproc.envoyconf.resources.extensions import Packed


def test_messages_are_spelled_as_envoy_reads_them() -> None:
    policy = route.RetryPolicy(retry_on="5xx", num_retries=2)
    assert as_json(policy) == {"retry_on": "5xx", "num_retries": 2}


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(core.Node(), id="nothing"),
        pytest.param(core.SocketAddress(address="::1", port_value=80), id="numbers and texts"),
        pytest.param(
            DownstreamConnectionsConfig(max_active_downstream_connections=2**40), id="a long number"
        ),
        pytest.param(HttpStatus(code=StatusCode.ServiceUnavailable), id="a name of its own"),
        pytest.param(core.DataSource(inline_bytes=b"\x00\xff"), id="bytes"),
        pytest.param(core.DataSource(inline_string=""), id="an empty one of several"),
        pytest.param(
            cluster.Cluster(
                name="",
                type=cluster.ClusterDiscoveryType.STATIC,
                lb_policy=cluster.ClusterLbPolicy.ROUND_ROBIN,
                dns_lookup_family=cluster.ClusterDnsLookupFamily.V4_PREFERRED,
            ),
            id="enumerations, and what is 0",
        ),
        pytest.param(
            cluster.Cluster(connect_timeout=timedelta(milliseconds=250)), id="a part of a second"
        ),
        pytest.param(
            route.RetryPolicy(num_retries=0, per_try_timeout=timedelta()), id="told zeros"
        ),
        pytest.param(core.Http1ProtocolOptions(enable_trailers=True), id="a truth"),
        pytest.param(
            route.RouteMatch(connect_matcher=route.RouteMatchConnectMatcher()), id="empty messages"
        ),
        pytest.param(
            endpoint.ClusterLoadAssignment(endpoints=[endpoint.LocalityLbEndpoints(priority=1)]),
            id="lists",
        ),
        pytest.param(bootstrap.Bootstrap(stats_flush_on_admin=True), id="one of several"),
        pytest.param(
            core.Metadata(
                filter_metadata={"a": protobuf.Struct.from_dict({"b": {"c": [1, "d", None]}})}
            ),
            id="maps and free values",
        ),
        pytest.param(
            core.TypedExtensionConfig(
                name="x", typed_config=Packed(core.Pipe(path="/run/a", mode=0o600))
            ),
            id="extensions",
        ),
        pytest.param(protobuf.Any.pack(core.Pipe(path="/run/a")), id="an extension as bytes"),
        pytest.param(core.GrpcServiceGoogleGrpc(per_stream_buffer_limit_bytes=0), id="wrapped"),
        pytest.param(core.HealthStatusSet(statuses=[core.HealthStatus.HEALTHY]), id="a list"),
    ],
)
def test_messages_are_what_they_say_themselves(message: Message) -> None:
    asked: Any = message
    assert as_json(message) == asked.to_dict(casing=str)
    assert list(as_json(message)) == list(asked.to_dict(casing=str))


def test_yaml_keeps_the_order_and_repeats_what_stands_twice() -> None:
    shared = {"b": 1, "a": [1, 2]}
    text = as_yaml({"second": shared, "first": (shared,), "text": "one\ntwo\n"})
    assert "&" not in text
    assert text.index("second") < text.index("first")
    assert "text: |\n  one\n  two\n" in text
    assert yaml.safe_load(text)["first"] == [shared]
