"""Inflating of request bodies, by Envoy: the processor and the agent get them plain."""

from __future__ import annotations

from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.compression.brotli.decompressor import v3 as brotli
from envoy_data_plane.envoy.extensions.compression.gzip.decompressor import v3 as gzip
from envoy_data_plane.envoy.extensions.compression.zstd.decompressor import v3 as zstd
from envoy_data_plane.envoy.extensions.filters.http.decompressor import v3 as decompressor
from envoy_data_plane.google.protobuf import Any

from extproc.config.model.root import Limits
from extproc.envoyconf.resources.extensions import Packed

_MOST_OF_DEFLATE: Final = 1032
"""No stream of deflate holds more for each byte; beyond Envoy's default of 100 it cuts bodies off
without a word, as a text that repeats itself may be. The buffer behind bounds what comes out."""
_LIBRARIES: Final = {
    "gzip": gzip.Gzip(max_inflate_ratio=_MOST_OF_DEFLATE),
    "br": brotli.Brotli(),
    "zstd": zstd.Zstd(),
}


def decompressors(limits: Limits) -> list[tuple[str, Any]]:
    """Return a filter for each encoding of `limits.decompress`; answers pass them untouched.

    A body in any other encoding keeps its `content-encoding`, and the processor refuses it.
    """
    return [(f"outerloop.decompress.{each}", _decompressor(each)) for each in limits.decompress]


def _decompressor(encoding: str) -> Any:
    answers = decompressor.DecompressorCommonDirectionConfig(
        enabled=core.RuntimeFeatureFlag(default_value=False)
    )
    return Packed(
        decompressor.Decompressor(
            decompressor_library=core.TypedExtensionConfig(
                name=encoding, typed_config=Packed(_LIBRARIES[encoding])
            ),
            request_direction_config=decompressor.DecompressorRequestDirectionConfig(
                # Agents must not be asked for what the client did not ask for.
                advertise_accept_encoding=False
            ),
            response_direction_config=decompressor.DecompressorResponseDirectionConfig(
                common_config=answers
            ),
        )
    )
