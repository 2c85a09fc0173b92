from __future__ import annotations

from envoy_data_plane.envoy.config.accesslog import v3 as accesslog
from envoy_data_plane.envoy.extensions.access_loggers.stats import v3 as stats
from envoy_data_plane.envoy.extensions.filters.http.lua import v3 as lua

from extproc import names
from extproc.envoyconf.resources.measures import measures, token_filters


def unpacked(log: accesslog.AccessLog) -> stats.Config:
    assert log.typed_config is not None
    config = log.typed_config.unpack()
    assert isinstance(config, stats.Config)
    return config


def script() -> str:
    (each,) = token_filters(count_tokens=True)
    assert each.typed_config is not None
    config = each.typed_config.unpack()
    assert isinstance(config, lua.Lua)
    assert config.default_source_code is not None
    return str(config.default_source_code.inline_string)


def test_the_script_notes_what_the_rest_reads() -> None:
    assert f'METADATA = "{names.METADATA_TOKENS}"' in script()
    for key in names.TOKEN_KEYS.values():
        assert f'{key} = "{key}"' in script()


def test_it_holds_no_answer() -> None:
    # This would wait for the whole of it.
    assert ":body(" not in script()
    assert ":bodyChunks(" in script()


def test_names_are_those_of_the_cluster() -> None:
    for log in measures(count_tokens=True):
        config = unpacked(log)
        counters = [each.stat for each in config.counters]
        for stat in (*counters, *(each.stat for each in config.histograms)):
            assert stat is not None
            assert {tag.name: tag.value_format for tag in stat.tags} == {
                "agent": "%CLUSTER_METADATA(outerloop:agent)%",
                "variant": "%CLUSTER_METADATA(outerloop:variant)%",
            }


def test_each_measure_has_a_condition() -> None:
    # Envoy logs an error for each value that is not there.
    first_byte, *tokens = measures(count_tokens=True)
    assert first_byte.filter is not None
    assert first_byte.filter.extension_filter is not None
    for log, key in zip(tokens, names.TOKEN_KEYS.values(), strict=True):
        assert log.filter is not None
        assert log.filter.metadata_filter is not None
        assert log.filter.metadata_filter.match_if_key_not_found is False
        assert log.filter.metadata_filter.matcher is not None
        assert [each.key for each in log.filter.metadata_filter.matcher.path] == [key]


def test_without_tokens_there_is_the_first_byte_alone() -> None:
    assert token_filters(count_tokens=False) == []
    (log,) = measures(count_tokens=False)
    assert [each.stat.name for each in unpacked(log).histograms if each.stat] == ["first_byte"]
