from __future__ import annotations

from datetime import timedelta
from typing import Any

from extproc.config.model.agents import Agent
from extproc.envoyconf.upstreams import (
    Copies,
    Share,
    UpstreamCluster,
    agent_clusters,
    agent_destination,
    mirror_cluster,
)

MINUTE = timedelta(minutes=1)


def agent(**keys: Any) -> Agent:
    return Agent.model_validate({"id": "a", **keys})


def hosts(cluster: UpstreamCluster) -> list[list[str]]:
    return [[host.authority for host in group] for group in cluster.groups]


def test_endpoints_and_failover_are_groups_of_one_cluster() -> None:
    both = agent(endpoints=["http://h1:1/team", "http://h2:2/team"], failover=["http://h3/team"])
    (cluster,) = agent_clusters(both, "/ca")
    assert cluster.name == "agent/a"
    assert hosts(cluster) == [["h1:1", "h2:2"], ["h3"]]
    to = agent_destination(both, MINUTE)
    assert to.failover
    assert to.shares == (Share("agent/a", 1_000_000, None),)
    assert (to.path_prefix, to.timeout) == ("/team", MINUTE)


def test_each_variant_is_a_cluster_and_gets_its_share() -> None:
    split = agent(
        variants=[
            {"id": "stable", "weight": 3, "url": "http://h1"},
            {"id": "canary", "weight": 1, "url": "http://h2"},
            {"id": "off", "weight": 0, "url": "http://h3"},
        ],
        session_affinity={"header": "X-User"},
        timeout="5s",
    )
    clusters = agent_clusters(split, "/ca")
    assert [(each.name, each.agent, each.variant) for each in clusters] == [
        ("agent/a/stable", "a", "stable"),
        ("agent/a/canary", "a", "canary"),
        ("agent/a/off", "a", "off"),
    ]
    to = agent_destination(split, MINUTE)
    assert {share.cluster for share in to.shares} == {"agent/a/stable", "agent/a/canary"}
    assert {share.authority for share in to.shares} == {"h1", "h2"}
    assert (to.affinity, to.timeout) == ("x-user", timedelta(seconds=5))


def test_credentials_go_on_but_to_agents_with_a_key_of_their_own() -> None:
    assert agent_destination(agent(url="http://h"), MINUTE).forward_authorization
    keyed = agent(url="http://h", access_key="sk", headers={"X-Team": "t"})
    assert not agent_destination(keyed, MINUTE).forward_authorization
    (cluster,) = agent_clusters(keyed, "/ca")
    assert (cluster.has_key, cluster.headers) == (True, ("x-team",))
    both = agent(url="http://h", access_key="sk", forward_authorization=True)
    assert agent_destination(both, MINUTE).forward_authorization


def test_copies_go_to_a_cluster_without_the_agents_keys() -> None:
    mirrored = agent(url="http://h", access_key="sk", mirror={"url": "https://copy", "percent": 10})
    cluster = mirror_cluster(mirrored, "/ca")
    assert cluster is not None
    assert (cluster.name, cluster.has_key, cluster.agent) == ("mirror/a", False, "")
    assert cluster.tls is not None
    assert agent_destination(mirrored, MINUTE).copies == Copies("mirror/a", "copy", 10)
    assert mirror_cluster(agent(url="http://h"), "/ca") is None


def test_hosts_without_names_are_literal() -> None:
    for urls, literal in (
        (["http://10.0.0.1", "http://[::1]:8080", "http://localhost"], True),
        (["http://10.0.0.1", "http://agents.example"], False),
    ):
        (cluster,) = agent_clusters(agent(endpoints=urls), "/ca")
        assert cluster.literal is literal


def test_a_cluster_keeps_its_shape_with_other_hosts_alone() -> None:
    def shape(**keys: Any) -> str:
        (cluster,) = agent_clusters(agent(**keys), "/ca")
        return cluster.shape

    one = shape(url="http://10.0.0.1")
    assert one == shape(url="http://10.0.0.2")
    assert one == shape(endpoints=["http://10.0.0.1"], failover=["http://10.0.0.2"])
    assert one != shape(url="http://10.0.0.1", load_balancing="random")
    assert one != shape(url="http://10.0.0.1", health_check={"path": "/healthz"})
    # It names a file.
    assert one.isalnum()
