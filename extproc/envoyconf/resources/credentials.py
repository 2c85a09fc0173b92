"""What an agent gets beside or in place of the caller's headers: read from files.

The filters run in the agent's cluster, so that copies of a request that go elsewhere are without.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.common.matching import v3 as matching
from envoy_data_plane.envoy.extensions.filters.http.composite import v3 as composite
from envoy_data_plane.envoy.extensions.filters.http.credential_injector import v3 as injector
from envoy_data_plane.envoy.extensions.http.injected_credentials.generic import v3 as generic
from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.xds.core import v3 as xds_core
from envoy_data_plane.xds.type.matcher import v3 as xds

from extproc import names
from extproc.envoyconf.files import Folder, header_secret, key_secret
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.matchers import on_header
from extproc.envoyconf.resources.sources import secret_source
from extproc.envoyconf.upstreams import UpstreamCluster

_INJECTOR: Final = "envoy.filters.http.credential_injector"
_MESSAGES: Final = rf"[^?]*{names.PATH_MESSAGES}(\?.*)?"
"""Anthropic's API wants the key in a header of its own."""


def credential_filters(cluster: UpstreamCluster, folder: Folder) -> Iterator[tuple[str, Any]]:
    """Yield the upstream filters that set an agent's `access_key` and `headers`."""
    for header in cluster.headers:
        yield _INJECTOR, _inject(folder, header_secret(cluster.agent, header), header)
    if cluster.has_key:
        yield "outerloop.access_key", _access_key(cluster.agent, folder)


def _access_key(agent: str, folder: Folder) -> Any:
    key = _inject(folder, key_secret(agent), "x-api-key")
    bearer = _inject(folder, key_secret(agent), "authorization", "Bearer ")
    return Packed(
        matching.ExtensionWithMatcher(
            extension_config=core.TypedExtensionConfig(
                name="envoy.filters.http.composite", typed_config=Packed(composite.Composite())
            ),
            xds_matcher=on_header(":path", _MESSAGES, then=_then(key), otherwise=_then(bearer)),
        )
    )


def _then(inject: Any) -> xds.MatcherOnMatch:
    action = composite.ExecuteFilterAction(
        typed_config=core.TypedExtensionConfig(name=_INJECTOR, typed_config=inject)
    )
    return xds.MatcherOnMatch(
        action=xds_core.TypedExtensionConfig(name="inject", typed_config=Packed(action))
    )


def _inject(folder: Folder, secret: str, header: str, prefix: str = "") -> Any:
    credential = generic.Generic(
        credential=secret_source(folder, secret), header=header, header_value_prefix=prefix
    )
    return Packed(
        injector.CredentialInjector(
            overwrite=True,
            credential=core.TypedExtensionConfig(
                name="envoy.http.injected_credentials.generic", typed_config=Packed(credential)
            ),
        )
    )
