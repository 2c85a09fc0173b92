from __future__ import annotations

from envoy_data_plane.envoy.extensions.filters.http.decompressor import v3 as decompressor

from extproc.config.model.root import Limits
from extproc.envoyconf.resources.decompressors import decompressors


def test_nothing_is_inflated_unless_asked() -> None:
    assert decompressors(Limits()) == []


def test_each_encoding_has_its_filter_for_requests_alone() -> None:
    filters = decompressors(Limits(decompress=("gzip", "br", "zstd")))
    assert [name for name, _ in filters] == [
        "outerloop.decompress.gzip",
        "outerloop.decompress.br",
        "outerloop.decompress.zstd",
    ]
    for name, packed in filters:
        config = packed.unpack()
        assert isinstance(config, decompressor.Decompressor)
        assert config.decompressor_library is not None
        assert name.endswith(config.decompressor_library.name)
        answers = config.response_direction_config
        assert answers is not None
        assert answers.common_config is not None
        assert answers.common_config.enabled is not None
        assert answers.common_config.enabled.default_value is False
