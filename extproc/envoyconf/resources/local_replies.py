"""Envoy's own answers, as the errors of the contract."""

from __future__ import annotations

from typing import Final

from envoy_data_plane.envoy.config.accesslog import v3 as accesslog
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.access_loggers.filters.cel import v3 as cel
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm

from extproc import names
from extproc.apis.errors import error_body
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.headers import header_option
from extproc.envoyconf.resources.http_filters import DECIDED
from extproc.errors import GATEWAY_ERRORS, GatewayError, Reject

_DETAILS: Final = "response.code_details"


def _one_of(*reasons: str) -> str:
    return f"{_DETAILS} in {list(reasons)}"


_RESET: Final = f"{_DETAILS}.startsWith('upstream_reset_before_response_started')"
_RESET_LATER: Final = f"{_DETAILS}.startsWith('upstream_reset_after_response_started')"
_TIMEOUTS: Final = _one_of(
    "request_header_timeout",
    "request_overall_timeout",
    "stream_idle_timeout",
    "response_timeout",
    "upstream_response_timeout",
    "upstream_per_try_timeout",
)
_UNDECIDED: Final = f"{_DETAILS}.startsWith('ext_proc_error')"
# gRPC's DEADLINE_EXCEEDED, where the filter notes how its calls ended.
_FIRST_TIMED_OUT: Final = " || ".join(
    f"filter_state['{DECIDED}'].{call} == 4"
    for call in ("request_header_call_status", "request_body_last_call_status")
)
_TIMED_OUT: Final = f"{_DETAILS}.contains('per-message_timeout') || {_FIRST_TIMED_OUT}"
_MALFORMED: Final = (
    f"{_DETAILS}.startsWith('http1.')",
    f"{_DETAILS}.startsWith('http2.')",
    _one_of("http.invalid_authority", "missing_host_header", "low_version"),
    _one_of("missing_path_rejected", "absolute_path_rejected", "path_normalization_failed"),
    _one_of("upgrade_failed"),
)
_HEADERS_TOO_LARGE: Final = (
    f"response.code == 431 && {_DETAILS}.startsWith('http')",
    # Within the limits when they came, over them with the headers of the decision.
    _one_of("header_mutation_result_exceeds_limit"),
)

# CEL over Envoy's reason for an answer; the first that holds counts. The processor's own answers
# give other reasons, hold nowhere, and so pass as they are.
_CAUSES: Final = (
    # Also where one worker took too long and then there was no other.
    ("decision_timeout", f"{_UNDECIDED} && ({_TIMED_OUT})"),
    ("processor_unavailable", _UNDECIDED),
    ("request_too_large", _one_of("request_payload_too_large")),
    ("no_route", _one_of("direct_response", "route_not_found", "cluster_not_found")),
    ("no_healthy_upstream", _one_of("no_healthy_upstream")),
    ("overloaded", f"{_RESET} && {_DETAILS}.contains('{{overflow')"),
    ("upstream_unreachable", f"{_RESET} && {_DETAILS}.contains('connection_failure')"),
    ("bad_upstream", f"{_RESET} && {_DETAILS}.contains('{{protocol_error')"),
    # After: an answer that filters still held back when it broke off.
    ("upstream_reset", f"{_RESET} || {_RESET_LATER}"),
    ("request_timeout", f"response.code == 408 && {_TIMEOUTS}"),
    ("upstream_timeout", _TIMEOUTS),
    ("headers_too_large", " || ".join(_HEADERS_TOO_LARGE)),
    ("bad_request", " || ".join(_MALFORMED)),
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
    return hcm.LocalReplyConfig(
        mappers=[
            _mapper(GATEWAY_ERRORS[code], path, condition)
            for code, cause in _CAUSES
            for path, condition in (
                (names.PATH_MESSAGES, f"({cause}) && {_asked(names.PATH_MESSAGES)}"),
                (names.PATH_CHAT, cause),
            )
        ]
    )


def local_replies_of_conversations() -> hcm.LocalReplyConfig:
    """Return the same for a gateway that has other requests too, which keep its own answers."""
    return hcm.LocalReplyConfig(
        mappers=[
            _mapper(GATEWAY_ERRORS[code], path, f"({cause}) && {_asked(path)}")
            for code, cause in _CAUSES
            for path in names.PATHS
        ]
    )


def _asked(path: str) -> str:
    # Not at its start: by then the path may carry the prefix of an agent's url.
    return f"request.url_path.contains('{path}')"


def _mapper(error: GatewayError, path: str, condition: str) -> hcm.ResponseMapper:
    # The agent's id is the processor's word and has no character that JSON would escape.
    agent = f"%REQ({names.HEADER_AGENT})%"
    details = {"agent": agent} if error.code in _OF_AN_AGENT else {}
    reject = Reject(error.status, error.code, error.message, details)
    return hcm.ResponseMapper(
        filter=accesslog.AccessLogFilter(
            extension_filter=accesslog.ExtensionFilter(
                name="envoy.access_loggers.extension_filters.cel",
                typed_config=Packed(cel.ExpressionFilter(expression=condition)),
            )
        ),
        status_code=error.status,
        body_format_override=core.SubstitutionFormatString(
            text_format_source=core.DataSource(inline_string=error_body(path, reject).decode()),
            content_type="application/json",
        ),
        headers_to_add=[header_option(names.HEADER_ERROR, error.code)],
    )
