from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from extproc.address import PipeAddress, SocketAddress
from extproc.config.model.root import Config
from extproc.envoyconf.build import Places, build
from extproc.envoyconf.topology import Topology
from extproc.envoyconf.upstreams import ClientTls, UpstreamCluster

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
    topology = build(config, Places(processor, PipeAddress("/run/admin.sock")))
    assert [cluster.name for cluster in topology.clusters] == ["agent/weather", "agent/flight"]
    first, second = topology.listeners
    assert [route.agent for route in first.routes] == ["weather"]
    assert [route.agent for route in second.routes] == ["weather", "flight"]
    assert [route.to.timeout for route in second.routes] == [seconds(40), seconds(20)]
    weather = first.routes[0].to
    (share,) = weather.shares
    assert (share.cluster, share.authority) == ("agent/weather", "localhost:10510")
    assert weather.path_prefix == "/team"
    assert second.address == SocketAddress("0.0.0.0", 8002)
    assert topology.processor == processor


def test_envoy_waits_longer_than_the_processor_takes(make_topology: Make) -> None:
    (listener,) = make_topology(listener={"decision_timeout": "10s"}).listeners
    assert listener.message_timeout == seconds(12)


def test_nothing_that_a_listener_has_follows_from_its_agents(make_topology: Make) -> None:
    """A listener that changes is drained, and agents must be changed without."""
    few = make_topology({"id": "a", "url": "http://a"}).listeners[0]
    many = make_topology(
        {"id": "a", "url": "http://b", "timeout": "1h", "idle_timeout": "2h"},
        {"id": "b", "endpoints": ["http://b"]},
        orchestrator={"max_agents": 16},
    ).listeners[0]
    assert replace(few, routes=()) == replace(many, routes=())


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
    clusters = [each for each in topology.clusters if isinstance(each, UpstreamCluster)]
    assert [cluster.tls for cluster in clusters] == [
        None,
        ClientTls("/etc/ca.pem"),
        ClientTls("/own.pem", "/us.pem", "/us.key"),
    ]


def with_cluster(**more: Any) -> Config:
    agents = [{"id": "weather", "cluster": "theirs"}]
    return Config.model_validate(
        {"version": "v1", "agents": agents, "listeners": LISTENERS, **more}
    )


COMPLETE = Places((PipeAddress("/0"),), PipeAddress("/1"), complete=True)


def test_an_agent_whose_cluster_the_gateway_has_brings_none() -> None:
    topology = build(with_cluster(), replace(COMPLETE, complete=False))
    assert topology.clusters == ()
    (route,) = topology.listeners[0].routes
    assert [(share.cluster, share.authority) for share in route.to.shares] == [("theirs", "")]
    assert route.to.foreign


def test_a_gateway_that_runs_nothing_else_must_be_told_of_it() -> None:
    with pytest.raises(ValueError, match=r"agent weather: .*envoy\.clusters"):
        build(with_cluster(), COMPLETE)
    own = {"clusters": [{"name": "theirs"}]}
    assert build(with_cluster(envoy=own), COMPLETE).own.clusters == ({"name": "theirs"},)


def test_a_listener_that_observes_sends_everything_to_its_default_agent() -> None:
    listener = {**LISTENERS[0], "mode": "observe"}
    topology = build(with_cluster(listeners=[listener]), replace(COMPLETE, complete=False))
    assert topology.listeners[0].observed_by == "weather"


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
