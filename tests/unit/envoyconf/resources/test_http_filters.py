from __future__ import annotations

from collections.abc import Callable

from envoy_data_plane.envoy.extensions.filters.http.buffer import v3 as buffer
from envoy_data_plane.envoy.extensions.filters.http.health_check import v3 as health_check
from envoy_data_plane.envoy.extensions.filters.http.router import v3 as router
from envoy_data_plane.google.protobuf import Any

from extproc.envoyconf.resources.http_filters import buffer_disabled, http_filters
from extproc.envoyconf.resources.matchers import header_is, matching
from extproc.envoyconf.topology import Topology

Make = Callable[..., Topology]


def packed(topology: Topology) -> dict[str, Any]:
    filters = http_filters(topology.listeners[0], topology)
    return {each.name: each.typed_config for each in filters if each.typed_config is not None}


def test_the_order_of_the_filters(make_topology: Make) -> None:
    assert [name.removeprefix("envoy.filters.http.") for name in packed(make_topology())] == [
        "header_mutation",
        "header_to_metadata",
        "set_filter_state",
        "health_check",
        "buffer",
        "outerloop.decide",
        "ext_proc",
        "outerloop.answers",
        "outerloop.tokens",
        "router",
    ]


def test_tokens_are_read_only_where_they_are_counted(make_topology: Make) -> None:
    assert "outerloop.tokens" not in packed(make_topology(observability={"tokens": False}))


def test_health_is_answered_without_the_processor(make_topology: Make) -> None:
    config = packed(make_topology())["envoy.filters.http.health_check"].unpack()
    assert isinstance(config, health_check.HealthCheck)
    assert config.pass_through_mode is False
    method, path = config.headers
    assert method == header_is(":method", "GET")
    assert path.string_match == matching(r"/healthz(\?.*)?")


def test_the_buffer_holds_the_largest_request_allowed(make_topology: Make) -> None:
    filters = packed(make_topology(limits={"max_request_bytes": "5MiB"}))
    config = filters["envoy.filters.http.buffer"].unpack()
    assert isinstance(config, buffer.Buffer)
    assert config.max_request_bytes == 5 * 2**20


def test_a_route_can_switch_the_buffer_off(make_topology: Make) -> None:
    ((name, config),) = buffer_disabled().items()
    assert name in packed(make_topology())
    assert config.unpack() == buffer.BufferPerRoute(disabled=True)


def test_the_router_adds_no_headers_of_envoy(make_topology: Make) -> None:
    config = packed(make_topology())["envoy.filters.http.router"].unpack()
    assert isinstance(config, router.Router)
    assert config.suppress_envoy_headers
