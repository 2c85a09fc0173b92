from __future__ import annotations

from collections.abc import Callable

from extproc.envoyconf.files import Folder
from extproc.envoyconf.resources.credentials import credential_filters
from extproc.envoyconf.topology import Topology


def test_secrets_are_named_and_never_written(make_topology: Callable[..., Topology]) -> None:
    folder = Folder("/run/envoy", dynamic=True)
    cluster = make_topology(
        {"id": "a", "url": "http://h", "access_key": "sk-1", "headers": {"x-team": "t-1"}}
    ).upstreams[0]
    header, key = (config.to_dict() for _, config in credential_filters(cluster, folder))
    assert "/run/envoy/secret-agent-a.header-x-team.json" in str(header)
    assert "/run/envoy/secret-agent-a-key.json" in str(key)
    assert "'headerValuePrefix': 'Bearer '" in str(key)
    assert "sk-1" not in str(key)
    assert "t-1" not in str(header)


def test_an_agent_without_keys_needs_none(make_topology: Callable[..., Topology]) -> None:
    topology = make_topology()
    assert list(credential_filters(topology.upstreams[0], topology.folder)) == []
