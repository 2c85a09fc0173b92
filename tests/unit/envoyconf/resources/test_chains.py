from __future__ import annotations

from envoy_data_plane.envoy.extensions.clusters.composite import v3 as composite

from extproc.address import PipeAddress
from extproc.envoyconf.resources.addresses import load_assignment
from extproc.envoyconf.resources.chains import chain_cluster, hop_cluster
from extproc.envoyconf.upstreams import Chain, Hop


def test_a_chain_is_a_composite_of_its_hops() -> None:
    cluster = chain_cluster(Chain("chain/a", ("hop.a", "takeover.b")))
    assert cluster.cluster_type is not None
    assert cluster.cluster_type.typed_config is not None
    config = cluster.cluster_type.typed_config.unpack()
    assert isinstance(config, composite.ClusterConfig)
    assert [each.name for each in config.clusters] == ["hop.a", "takeover.b"]


def test_a_hop_is_known_by_its_host_and_limits_nothing() -> None:
    egress = PipeAddress("/egress")
    cluster = hop_cluster(Hop("hop.a", "hop.a", egress))
    assert cluster.load_assignment == load_assignment("hop.a", egress, hostname="hop.a")
    assert cluster.circuit_breakers is not None
    (threshold,) = cluster.circuit_breakers.thresholds
    assert threshold.max_requests == threshold.max_retries == 2**32 - 1
