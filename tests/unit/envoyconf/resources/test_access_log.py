from __future__ import annotations

from envoy_data_plane.envoy.extensions.access_loggers.file import v3 as file_log
from envoy_data_plane.envoy.extensions.access_loggers.stream import v3 as stream_log

from extproc.envoyconf.resources.access_log import access_logs

KEYS = {
    "time",
    "request_id",
    "trace_id",
    "listener",
    "method",
    "path",
    "status",
    "agent",
    "plan",
    "source",
    "confidence",
    "observed",
    "filters",
    "output_filters",
    "variant",
    "upstream_host",
    "attempts",
    "bytes_in",
    "bytes_out",
    "duration_ms",
    "decision_ms",
    "first_byte_ms",
    "input_tokens",
    "output_tokens",
    "error",
    "details",
}


def test_standard_output_has_one_object_with_all_keys() -> None:
    (log,) = access_logs("travel", "stdout")
    assert log.typed_config is not None
    config = log.typed_config.unpack()
    assert isinstance(config, stream_log.StdoutAccessLog)
    assert config.log_format is not None
    assert config.log_format.json_format is not None
    values = config.log_format.json_format.to_dict()
    assert values.keys() == KEYS
    assert values["listener"] == "travel"


def test_each_value_is_one_operator_so_that_numbers_stay_numbers() -> None:
    (log,) = access_logs("travel", "stdout")
    assert log.typed_config is not None
    config = log.typed_config.unpack()
    assert isinstance(config, stream_log.StdoutAccessLog)
    assert config.log_format is not None
    assert config.log_format.json_format is not None
    formats = config.log_format.json_format.to_dict()
    del formats["listener"]
    for value in formats.values():
        assert value.startswith("%")
        assert value.endswith("%")


def test_a_file_is_written_instead() -> None:
    (log,) = access_logs("travel", "/var/log/a.jsonl")
    assert log.typed_config is not None
    config = log.typed_config.unpack()
    assert isinstance(config, file_log.FileAccessLog)
    assert config.path == "/var/log/a.jsonl"


def test_health_checks_are_not_logged() -> None:
    (log,) = access_logs("travel", "stdout")
    assert log.filter is not None
    assert log.filter.not_health_check_filter is not None


def test_no_log_where_none_is_asked_for() -> None:
    assert access_logs("travel", None) == []
