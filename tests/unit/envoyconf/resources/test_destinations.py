from __future__ import annotations

from datetime import timedelta

from extproc.envoyconf.resources.destinations import removed_headers, route_action
from extproc.envoyconf.upstreams import Copies, Destination, Share

ONE = (Share("agent/a", 1, "h:1"),)


def test_one_cluster_is_named_and_its_host_written() -> None:
    action = route_action(Destination(ONE, "/team", timedelta(seconds=5)), rewrite_prefix="/v1/")
    assert (action.cluster, action.weighted_clusters) == ("agent/a", None)
    assert (action.host_rewrite_literal, action.auto_host_rewrite) == ("h:1", None)
    assert action.prefix_rewrite == "/team/v1/"
    assert action.timeout == timedelta(seconds=5)
    assert route_action(Destination(ONE), rewrite_prefix="/v1/").prefix_rewrite == ""


def test_hosts_with_names_of_their_own_are_called_by_them() -> None:
    action = route_action(Destination((Share("agent/a", 1, None),)))
    assert (action.host_rewrite_literal, action.auto_host_rewrite) == (None, True)


def test_shares_are_weights_drawn_by_the_caller_where_it_stays() -> None:
    shares = (Share("agent/a/x", 950_000, "x"), Share("agent/a/y", 50_000, "y"))
    action = route_action(Destination(shares, affinity="x-user"))
    assert action.cluster is None
    weighted = action.weighted_clusters
    assert weighted is not None
    assert weighted.use_hash_policy
    assert [(each.name, each.weight) for each in weighted.clusters] == [
        ("agent/a/x", 950_000),
        ("agent/a/y", 50_000),
    ]
    assert action.auto_host_rewrite
    (policy,) = action.hash_policy
    assert policy.header is not None
    assert policy.header.header_name == "x-user"
    assert route_action(Destination(shares)).hash_policy == []


def test_copies_go_by_share_under_their_own_host() -> None:
    to = Destination(ONE, copies=Copies("mirror/a", "copy", 12.5))
    (policy,) = route_action(to).request_mirror_policies
    assert (policy.cluster, policy.host_rewrite_literal) == ("mirror/a", "copy")
    assert policy.runtime_fraction is not None
    share = policy.runtime_fraction.default_value
    assert share is not None
    assert share.numerator == 125_000


def test_a_retry_goes_to_the_next_group_where_there_is_one() -> None:
    for failover in (True, False):
        policy = route_action(Destination(ONE, failover=failover)).retry_policy
        assert policy is not None
        assert (policy.retry_priority is not None) == failover


def test_credentials_that_do_not_go_on_are_removed() -> None:
    assert removed_headers(Destination(ONE)) == []
    assert removed_headers(Destination(ONE, forward_authorization=False)) == [
        "authorization",
        "x-api-key",
    ]
