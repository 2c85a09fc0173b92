"""HTTP filters of a cluster: they run for each attempt, when its host has been chosen."""

from __future__ import annotations

from envoy_data_plane.envoy.extensions.filters.http.upstream_codec import v3 as upstream_codec
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm

from extproc.envoyconf.files import Folder
from extproc.envoyconf.resources import headers
from extproc.envoyconf.resources.credentials import credential_filters
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.upstreams import UpstreamCluster


def upstream_filters(cluster: UpstreamCluster, folder: Folder) -> list[hcm.HttpFilter]:
    """Return the filters as requests pass them; responses pass them the other way."""
    filters = [
        ("envoy.filters.http.header_mutation", headers.from_agent()),
        *credential_filters(cluster, folder),
        # Last by Envoy's rule.
        ("envoy.filters.http.upstream_codec", Packed(upstream_codec.UpstreamCodec())),
    ]
    return [hcm.HttpFilter(name=name, typed_config=config) for name, config in filters]
