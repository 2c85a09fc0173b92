from __future__ import annotations

from collections.abc import Callable

from extproc.envoyconf.resources.upstream_filters import upstream_filters
from extproc.envoyconf.topology import Topology


def test_the_codec_is_last_and_keys_come_before_it(make_topology: Callable[..., Topology]) -> None:
    topology = make_topology(
        {"id": "a", "url": "http://h", "access_key": "sk", "headers": {"x-team": "t"}},
        {"id": "b", "url": "http://h"},
    )
    keyed, plain = (
        [each.name for each in upstream_filters(cluster, topology.folder)]
        for cluster in topology.upstreams
    )
    assert plain == ["envoy.filters.http.header_mutation", "envoy.filters.http.upstream_codec"]
    assert keyed == [
        "envoy.filters.http.header_mutation",
        "envoy.filters.http.credential_injector",
        "outerloop.access_key",
        "envoy.filters.http.upstream_codec",
    ]
