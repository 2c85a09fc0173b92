from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from envoy_data_plane.envoy.config.route import v3 as route

from extproc.envoyconf.resources.headers import forwarded_host
from extproc.envoyconf.resources.http_filters import answers_filtered, buffer_disabled
from extproc.envoyconf.resources.matchers import header_is
from extproc.envoyconf.resources.routes import route_configuration
from extproc.envoyconf.topology import Topology

Make = Callable[..., Topology]


def to_cluster(each: route.Route) -> str | None:
    return each.route.cluster if each.route is not None else None


def split(topology: Topology) -> tuple[list[route.Route], list[route.Route]]:
    """Return the routes to agents and the rest, of which each comes after the former."""
    (host,) = route_configuration(topology.listeners[0]).virtual_hosts
    assert host.domains == ["*"]
    agents = [each for each in host.routes if to_cluster(each) != "outerloop.nowhere"]
    rest = host.routes[len(agents) :]
    assert host.routes[: len(agents)] == agents
    return agents, rest


def test_an_agent_is_reached_by_the_processors_header_alone(make_topology: Make) -> None:
    agents, _ = split(make_topology({"id": "weather", "url": "http://a:81"}))
    (weather,) = agents
    assert weather.match == route.RouteMatch(
        prefix="/v1/", headers=[header_is("x-outerloop-agent", "weather")]
    )
    assert weather.route is not None
    assert weather.route.cluster == "agent/weather"
    assert weather.route.host_rewrite_literal == "a:81"
    assert weather.route.prefix_rewrite == ""


def test_the_path_of_a_url_comes_first(make_topology: Make) -> None:
    agents, _ = split(make_topology({"id": "weather", "url": "http://a/team/v1"}))
    assert agents[0].route is not None
    assert agents[0].route.prefix_rewrite == "/team/v1/"


def test_timeouts_and_retries_are_the_agents(make_topology: Make) -> None:
    keys = {"timeout": "20s", "idle_timeout": "4s", "retries": {"num_retries": 0}}
    agents, _ = split(make_topology({"id": "weather", "url": "http://a", **keys}))
    action = agents[0].route
    assert action is not None
    assert action.timeout == timedelta(seconds=20)
    assert action.idle_timeout == timedelta(seconds=4)
    assert action.retry_policy is None


def test_without_a_decision_every_request_is_denied(make_topology: Make) -> None:
    _, rest = split(make_topology())
    assert [to_cluster(each) for each in rest] == ["outerloop.nowhere"] * 5
    assert rest[-2].match == route.RouteMatch(prefix="/")
    assert rest[-1].match is not None
    assert rest[-1].match.connect_matcher is not None


def test_only_posts_on_the_three_paths_wait_for_their_bodies(make_topology: Make) -> None:
    _, rest = split(make_topology())
    waiting = [each.match for each in rest if not each.typed_per_filter_config]
    assert waiting == [
        route.RouteMatch(path=path, headers=[header_is(":method", "POST")])
        for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses")
    ]
    others = rest[len(waiting) :]
    assert all(each.typed_per_filter_config == buffer_disabled() for each in others)


def test_only_answers_with_filters_pass_the_processor(make_topology: Make) -> None:
    agents, _ = split(make_topology())
    assert agents[0].typed_per_filter_config == {}
    guarded, _ = split(make_topology(listener={"output_filters": ["guard"]}))
    assert guarded[0].typed_per_filter_config == answers_filtered()
    _, encoding = guarded[0].request_headers_to_add
    assert encoding.header is not None
    assert (encoding.header.key, encoding.header.value) == ("accept-encoding", "identity")


def test_nobody_gets_what_the_processor_was_not_asked_about_unless_the_file_says_so(
    make_topology: Make,
) -> None:
    listener = make_topology(
        {"id": "a", "url": "http://a/team"},
        {"id": "b", "url": "http://b", "access_key": "sk"},
        listener={
            "on_unavailable": "default_agent",
            "agents": [{"id": "a"}, {"id": "b", "default": True}],
        },
    ).listeners[0]
    (host,) = route_configuration(listener).virtual_hosts
    unasked = [each for each in host.routes if each.name == "unasked"]
    assert [each.match.path for each in unasked if each.match] == [
        "/v1/chat/completions",
        "/v1/messages",
        "/v1/responses",
    ]
    for each in unasked:
        assert each.route is not None
        assert each.route.cluster == "agent/b"
        assert list(each.typed_per_filter_config) == ["envoy.filters.http.ext_proc"]
        assert each.request_headers_to_remove == ["authorization", "x-api-key"]
        told = {h.header.key: h.header.value for h in each.response_headers_to_add if h.header}
        assert told["x-outerloop-source"] == "fallback"
    assert [to_cluster(each) for each in host.routes[-2:]] == ["outerloop.nowhere"] * 2


def test_the_host_that_was_asked_for_goes_on_beside_the_agents_own(make_topology: Make) -> None:
    listener = make_topology().listeners[0]
    (host,) = route_configuration(listener).virtual_hosts
    first = host.routes[0]
    assert first.route is not None
    # Envoy's own option would add the hosts of failed attempts.
    assert not first.route.append_x_forwarded_host
    (added,) = [each.header for each in first.request_headers_to_add]
    assert added is not None
    assert (added.key, added.value) == ("x-forwarded-host", "%REQ(:authority)%")


def test_where_decisions_are_observed_the_default_agent_gets_everything(
    make_topology: Make,
) -> None:
    topology = make_topology({"id": "weather", "url": "http://a"}, listener={"mode": "observe"})
    (host,) = route_configuration(topology.listeners[0]).virtual_hosts
    observed = [each for each in host.routes if each.name == "observed"]
    assert [each.match and each.match.path for each in observed] == [
        "/v1/chat/completions",
        "/v1/messages",
        "/v1/responses",
    ]
    # What was decided is for the agent to read, too.
    assert all(each.request_headers_to_add == [forwarded_host()] for each in observed)


def test_what_answers_in_a_cluster_of_others_does_not_speak_for_us(make_topology: Make) -> None:
    agents, _ = split(make_topology({"id": "weather", "cluster": "theirs"}))
    assert agents[0].route is not None
    assert agents[0].route.cluster == "theirs"
    assert not agents[0].route.host_rewrite_literal
    assert not agents[0].route.auto_host_rewrite
    assert "x-outerloop-agent" in agents[0].response_headers_to_remove
