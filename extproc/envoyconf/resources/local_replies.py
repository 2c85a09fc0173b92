"""Envoy's own answers, as the errors of the contract."""

from __future__ import annotations

from typing import Final

from envoy_data_plane.envoy.config.accesslog import v3 as accesslog
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.access_loggers.filters.cel import v3 as cel
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.google.protobuf import Any

from extproc import names
from extproc.apis.errors import error_body
from extproc.envoyconf.resources.headers import header_option
from extproc.envoyconf.resources.http_filters import PATH_STATE
from extproc.errors import GATEWAY_ERRORS, GatewayError, Reject

_DETAILS: Final = "response.code_details"
_RESET: Final = f"{_DETAILS}.startsWith('upstream_reset_before_response_started')"


def _reset_by(reason: str) -> str:
    return f"{_RESET} && {_DETAILS}.contains('{{{reason}')"


# CEL over Envoy's reason for an answer, the first that holds counts. The processor's own answers
# have other reasons, match nothing, and so pass as they are.
_CAUSES: Final = (
    ("decision_timeout", f"{_DETAILS}.contains('per-message_timeout_exceeded')"),
    ("processor_unavailable", f"{_DETAILS}.startsWith('ext_proc_error')"),
    ("request_too_large", f"{_DETAILS} == 'request_payload_too_large'"),
    ("no_route", f"{_DETAILS} in ['direct_response', 'route_not_found', 'cluster_not_found']"),
    ("no_healthy_upstream", f"{_DETAILS} == 'no_healthy_upstream'"),
    ("overloaded", _reset_by("overflow")),
    ("upstream_unreachable", _reset_by("connection_failure")),
    ("bad_upstream", _reset_by("protocol_error")),
    ("upstream_reset", _RESET),
    ("upstream_timeout", f"{_DETAILS} in ['response_timeout', 'upstream_per_try_timeout']"),
    ("headers_too_large", "response.code == 431"),
    ("request_timeout", "response.code == 408"),
    ("bad_request", "response.code == 400"),
)

_OF_AN_AGENT: Final = frozenset(
    {
        "no_healthy_upstream",
        "overloaded",
        "upstream_unreachable",
        "bad_upstream",
        "upstream_reset",
        "upstream_timeout",
    }
)


def local_reply_config() -> hcm.LocalReplyConfig:
    """Return the answers of `GATEWAY_ERRORS`, each in the shape of both APIs."""
    asked = f"filter_state['{PATH_STATE}'].startsWith('{names.PATH_MESSAGES}')"
    return hcm.LocalReplyConfig(
        mappers=[
            _mapper(GATEWAY_ERRORS[code], path, condition)
            for code, cause in _CAUSES
            for path, condition in (
                (names.PATH_MESSAGES, f"{cause} && {asked}"),
                (names.PATH_CHAT, cause),
            )
        ]
    )


def _mapper(error: GatewayError, path: str, condition: str) -> hcm.ResponseMapper:
    # The agent's id is the processor's word and has no character that JSON would escape.
    agent = f"%REQ({names.HEADER_AGENT})%"
    details = {"agent": agent} if error.code in _OF_AN_AGENT else {}
    reject = Reject(error.status, error.code, error.message, details)
    return hcm.ResponseMapper(
        filter=accesslog.AccessLogFilter(
            extension_filter=accesslog.ExtensionFilter(
                name="envoy.access_loggers.extension_filters.cel",
                typed_config=Any.pack(cel.ExpressionFilter(expression=condition)),
            )
        ),
        status_code=error.status,
        body_format_override=core.SubstitutionFormatString(
            text_format_source=core.DataSource(inline_string=error_body(path, reject).decode()),
            content_type="application/json",
        ),
        headers_to_add=[header_option(names.HEADER_ERROR, error.code)],
    )
