from __future__ import annotations

from collections.abc import Callable

from envoy_data_plane.envoy.config.core import v3 as core

from extproc.envoyconf.resources.hosts import cluster_metadata, grouped_assignment
from extproc.envoyconf.topology import Topology

Make = Callable[..., Topology]


def called(metadata: core.Metadata | None, namespace: str = "outerloop") -> object:
    return metadata.filter_metadata[namespace].to_dict() if metadata is not None else None


def test_groups_have_priorities_and_keep_their_requests_to_the_last_host(
    make_topology: Make,
) -> None:
    cluster = make_topology(
        {"id": "a", "endpoints": ["http://h1:1", "http://h2:2"], "failover": ["http://h3"]}
    ).upstreams[0]
    assignment = grouped_assignment(cluster)
    hosts = [
        (group.priority, host.endpoint.hostname)
        for group in assignment.endpoints
        for host in group.lb_endpoints
        if host.endpoint is not None
    ]
    assert hosts == [(0, "h1:1"), (0, "h2:2"), (1, "h3")]
    assert assignment.policy is not None
    assert (assignment.policy.overprovisioning_factor or 0) > 10_000


def test_clusters_say_whose_they_are(make_topology: Make) -> None:
    plain, first, second = make_topology(
        {"id": "a", "url": "http://h"},
        {
            "id": "b",
            "variants": [
                {"id": "v1", "weight": 1, "url": "http://h"},
                {"id": "v2", "weight": 1, "url": "http://h"},
            ],
        },
    ).upstreams
    assert called(cluster_metadata(plain)) == {"agent": "a"}
    assert called(cluster_metadata(first)) == {"agent": "b", "variant": "v1"}
    assert called(cluster_metadata(second)) == {"agent": "b", "variant": "v2"}


def test_a_host_of_another_name_is_checked_by_that_name(make_topology: Make) -> None:
    cluster = make_topology({"id": "a", "endpoints": ["https://h1", "https://h2"]}).upstreams[0]
    (group,) = grouped_assignment(cluster).endpoints
    assert [
        called(each.metadata, "envoy.transport_socket_match") for each in group.lb_endpoints
    ] == [
        None,
        {"host": "h2"},
    ]
