"""Where Envoy reads what changes while it runs: files, by the xDS protocol."""

from __future__ import annotations

from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls

from extproc.envoyconf.files import Folder, endpoints_file, routes_file, secret_file
from extproc.envoyconf.upstreams import UpstreamCluster


def file_source(path: str) -> core.ConfigSource:
    """Return the source that is a file, read again when another is renamed over it."""
    return core.ConfigSource(
        path_config_source=core.PathConfigSource(path=path),
        resource_api_version=core.ApiVersion.V3,
    )


def routes_from(folder: Folder, listener: str) -> hcm.Rds:
    """Return the source of a listener's routes."""
    return hcm.Rds(
        route_config_name=listener, config_source=file_source(folder / routes_file(listener))
    )


def endpoints_from(folder: Folder, cluster: UpstreamCluster) -> cluster_v3.ClusterEdsClusterConfig:
    """Return the source of a cluster's hosts."""
    path = folder / endpoints_file(cluster.name, cluster.shape)
    return cluster_v3.ClusterEdsClusterConfig(eds_config=file_source(path))


def secret_source(folder: Folder, secret: str) -> tls.SdsSecretConfig:
    """Return the source of a secret: a file of its own."""
    return tls.SdsSecretConfig(name=secret, sds_config=file_source(folder / secret_file(secret)))
