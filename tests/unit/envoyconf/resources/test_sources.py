from __future__ import annotations

from extproc.envoyconf.files import Folder
from extproc.envoyconf.resources.sources import endpoints_from, routes_from, secret_source
from extproc.envoyconf.upstreams import UpstreamCluster
from extproc.origin import parse_origin


def test_routes_hosts_and_secrets_are_files_of_the_folder() -> None:
    folder = Folder("/run/envoy", dynamic=True)
    routes, secret = routes_from(folder, "travel"), secret_source(folder, "key")
    cluster = UpstreamCluster("agent/a/canary", ((parse_origin("http://10.0.0.1"),),), None)
    endpoints = endpoints_from(folder, cluster)
    assert routes.route_config_name == "travel"
    assert secret.name == "key"
    paths = [
        source.path_config_source.path
        for source in (routes.config_source, endpoints.eds_config, secret.sds_config)
        if source is not None and source.path_config_source is not None
    ]
    assert paths == [
        "/run/envoy/routes-travel.json",
        f"/run/envoy/endpoints-agent.a.canary.{cluster.shape}.json",
        "/run/envoy/secret-key.json",
    ]
