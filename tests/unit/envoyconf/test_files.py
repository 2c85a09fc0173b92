from __future__ import annotations

from extproc.envoyconf import files


def test_no_two_files_or_secrets_have_the_same_name() -> None:
    secrets = {
        files.key_secret("a"),
        files.header_secret("a", "key"),
        files.certificate_secret("a"),
        files.client_ca_secret("a"),
    }
    assert len(secrets) == 4
    names = {
        files.CLUSTERS,
        files.LISTENERS,
        files.endpoints_file("a", "0"),
        files.endpoints_file("a", "1"),
        files.routes_file("a"),
        files.secret_file("a"),
    }
    assert len(names) == 6
    assert files.Folder("/run/x", dynamic=True) / files.CLUSTERS == "/run/x/clusters.json"


def test_the_version_of_a_secret_is_not_told() -> None:
    assert not files.is_told(files.secret_file("a"))
    for name in (files.CLUSTERS, files.routes_file("a"), files.endpoints_file("agent/a", "0f")):
        assert files.is_told(name)


def test_a_listener_is_known_by_the_file_of_its_routes() -> None:
    for listener in ("travel", "routes-x", files.EGRESS):
        assert files.listener_of(files.routes_file(listener)) == listener


def test_a_cluster_is_known_by_the_file_of_its_hosts() -> None:
    for cluster in ("agent/a", "agent/a/stable", "agent/endpoints-a"):
        assert files.cluster_of(files.endpoints_file(cluster, "0f")) == cluster
    assert files.cluster_of(files.routes_file("a")) is None
    assert files.cluster_of(files.CLUSTERS) is None
