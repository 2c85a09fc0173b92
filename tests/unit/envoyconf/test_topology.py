from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from extproc.address import PipeAddress, SocketAddress
from extproc.config.model.root import Config
from extproc.envoyconf.topology import ClientTls, Topology, build
from extproc.plan import longest_steps

Make = Callable[..., Topology]
LISTENERS = [{"name": "travel", "port": 8001, "agents": [{"id": "weather"}]}]


def seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def test_an_agent_is_a_cluster_and_a_route_of_each_listener_that_offers_it() -> None:
    config = Config.model_validate(
        {
            "version": "v1",
            "agents": [
                {"id": "weather", "url": "http://localhost:10510/team/v1"},
                {"id": "flight", "url": "http://localhost:10520", "timeout": "20s"},
            ],
            "listeners": [
                *LISTENERS,
                {
                    "name": "all",
                    "port": 8002,
                    "address": "0.0.0.0",
                    "timeout": "40s",
                    "agents": [{"id": "weather"}, {"id": "flight"}],
                },
            ],
        }
    )
    processor = (PipeAddress("/run/0.sock"), SocketAddress("127.0.0.1", 9001))
    topology = build(config, processor=processor, admin=PipeAddress("/run/admin.sock"))
    assert [cluster.name for cluster in topology.clusters] == ["agent/weather", "agent/flight"]
    first, second = topology.listeners
    assert [route.agent for route in first.routes] == ["weather"]
    assert [route.agent for route in second.routes] == ["weather", "flight"]
    assert [route.timeout for route in second.routes] == [seconds(40), seconds(20)]
    weather = first.routes[0]
    assert weather.cluster == "agent/weather"
    assert weather.authority == "localhost:10510"
    assert weather.path_prefix == "/team"
    assert second.address == SocketAddress("0.0.0.0", 8002)
    assert topology.processor == processor
    assert topology.max_connections == 2 * config.limits.max_connections


def test_envoy_waits_longer_than_the_processor_takes(make_topology: Make) -> None:
    topology = make_topology(
        {"id": "weather", "url": "http://a", "timeout": "100s"},
        {"id": "flight", "url": "http://b", "timeout": "60s"},
        listener={"decision_timeout": "10s"},
        orchestrator={"max_agents": 3},
    )
    listener = topology.listeners[0]
    assert listener.message_timeout == seconds(12)
    assert listener.max_message_timeout == seconds(12 + 2 * 100.5 + 2)
    assert listener.stream_idle_timeout > listener.max_message_timeout


@pytest.mark.parametrize("execution", ["sequential", "parallel"])
def test_the_longest_plan_may_be_asked_for(execution: str, make_topology: Make) -> None:
    """Envoy ignores what is over its maximum, and would give up on the plan."""
    listener = make_topology(
        {"id": "weather", "url": "http://a", "timeout": "1s"},
        listener={"decision_timeout": "1ms", "execution": execution},
        orchestrator={"max_agents": 16},
    ).listeners[0]
    asked = longest_steps([1.0] * 15, parallel=execution == "parallel")
    assert listener.max_message_timeout.total_seconds() >= asked


def test_one_agent_a_plan_needs_no_longer_than_a_decision(make_topology: Make) -> None:
    listener = make_topology(orchestrator={"max_agents": 1}).listeners[0]
    assert listener.max_message_timeout == listener.message_timeout


def test_https_is_checked_against_the_systems_authorities_or_the_agents_own(
    make_topology: Make,
) -> None:
    topology = make_topology(
        {"id": "plain", "url": "http://a"},
        {"id": "public", "url": "https://b"},
        {
            "id": "private",
            "url": "https://c",
            "tls": {"ca": "/own.pem", "certificate": "/us.pem", "key": "/us.key"},
        },
    )
    assert [cluster.tls for cluster in topology.clusters] == [
        None,
        ClientTls("/etc/ca.pem"),
        ClientTls("/own.pem", "/us.pem", "/us.key"),
    ]


def test_an_agent_without_a_url_is_refused() -> None:
    config = Config.model_validate(
        {
            "version": "v1",
            "agents": [{"id": "weather", "endpoints": ["http://a"]}],
            "listeners": LISTENERS,
        }
    )
    with pytest.raises(ValueError, match="agent weather has no url"):
        build(config, processor=(PipeAddress("/0"),), admin=PipeAddress("/1"))


def test_an_agent_that_only_a_rule_names_is_routable(make_topology: Make) -> None:
    topology = make_topology(
        {"id": "a", "url": "http://a"},
        {"id": "legacy", "url": "http://legacy"},
        {"id": "other", "url": "http://other"},
        listener={
            "agents": [{"id": "a"}],
            "rules": [{"when": {"headers": {"x-tenant": "acme"}}, "agents": ["legacy", "a"]}],
        },
    )
    assert [route.agent for route in topology.listeners[0].routes] == ["a", "legacy"]
