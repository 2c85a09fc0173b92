"""The access log: one JSON object for each client request."""

from __future__ import annotations

from typing import Final

from envoy_data_plane.envoy.config.accesslog import v3 as accesslog
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.access_loggers.file import v3 as file_log
from envoy_data_plane.envoy.extensions.access_loggers.stream import v3 as stream_log
from envoy_data_plane.google.protobuf import Struct

from extproc import names
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.hosts import VARIANT_KEY
from extproc.envoyconf.resources.http_filters import PATH_STATE

_OURS: Final = names.METADATA_NAMESPACE

# A value that is one operator alone keeps its type: numbers are numbers, what is missing is null.
_FIELDS: Final = {
    "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    "request_id": f"%REQ({names.HEADER_REQUEST_ID})%",
    "trace_id": f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_TRACE_ID})%",
    "method": "%REQ(:method)%",
    "path": f"%FILTER_STATE({PATH_STATE}:PLAIN)%",
    "status": "%RESPONSE_CODE%",
    # From the metadata, as what was refused never got the headers.
    "agent": f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_AGENT})%",
    "plan": f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_PLAN})%",
    "source": f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_SOURCE})%",
    "confidence": f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_CONFIDENCE})%",
    "observed": f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_OBSERVED})%",
    "filters": f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_FILTERS})%",
    "output_filters": f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_OUTPUT_FILTERS})%",
    "variant": f"%CLUSTER_METADATA({_OURS}:{VARIANT_KEY})%",
    "upstream_host": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "decision_ms": f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_DECISION_MS})%",
    "first_byte_ms": "%RESPONSE_DURATION%",
    **{
        key: f"%DYNAMIC_METADATA({names.METADATA_TOKENS}:{key})%"
        for key in names.TOKEN_KEYS.values()
    },
    "error": f"%RESP({names.HEADER_ERROR})%",
    # A stream that broke has its status and no error: how it ended stands only here.
    "details": "%RESPONSE_CODE_DETAILS%",
}


def access_logs(listener: str, destination: str | None) -> list[accesslog.AccessLog]:
    """Return the log of `listener`, to `stdout` or a file; none for None. Health checks are not in.

    Bodies, queries and credentials are never in it.
    """
    if destination is None:
        return []
    log_format = core.SubstitutionFormatString(
        json_format=Struct.from_dict({"listener": listener, **_FIELDS}),
    )
    if destination == "stdout":
        name = "envoy.access_loggers.stdout"
        config = Packed(stream_log.StdoutAccessLog(log_format=log_format))
    else:
        name = "envoy.access_loggers.file"
        config = Packed(file_log.FileAccessLog(path=destination, log_format=log_format))
    return [
        accesslog.AccessLog(
            name=name,
            filter=accesslog.AccessLogFilter(
                not_health_check_filter=accesslog.NotHealthCheckFilter()
            ),
            typed_config=config,
        )
    ]
