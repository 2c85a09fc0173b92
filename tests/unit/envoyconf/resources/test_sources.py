from __future__ import annotations

from extproc.envoyconf.files import Folder
from extproc.envoyconf.resources.sources import routes_from, secret_source


def test_routes_and_secrets_are_files_of_the_folder() -> None:
    folder = Folder("/run/envoy", dynamic=True)
    routes, secret = routes_from(folder, "travel"), secret_source(folder, "key")
    assert routes.route_config_name == "travel"
    assert secret.name == "key"
    paths = [
        source.path_config_source.path
        for source in (routes.config_source, secret.sds_config)
        if source is not None and source.path_config_source is not None
    ]
    assert paths == ["/run/envoy/routes-travel.json", "/run/envoy/secret-key.json"]
