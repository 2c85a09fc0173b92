from __future__ import annotations

from extproc.envoyconf import files


def test_no_two_files_or_secrets_have_the_same_name() -> None:
    secrets = {
        files.key_secret("a"),
        files.bearer_secret("a"),
        files.header_secret("a", "key"),
        files.certificate_secret("a"),
        files.client_ca_secret("a"),
    }
    assert len(secrets) == 5
    names = {files.CLUSTERS, files.LISTENERS, files.routes_file("a"), files.secret_file("a")}
    assert len(names) == 4
    assert files.Folder("/run/x", dynamic=True) / files.CLUSTERS == "/run/x/clusters.json"
