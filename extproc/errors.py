"""Every error a client can see, and the only mapping from exceptions to answers.

    OuterloopError
    ├── InvalidRequest          400 invalid_request
    ├── NotFound                404 not_found
    ├── MethodNotAllowed        405 method_not_allowed
    ├── RequestTooLarge         413 request_too_large
    ├── UnsupportedEncoding     415 unsupported_encoding
    ├── FilterDenied            the filter's own status, filter_denied
    ├── NoAgentFits             422 no_agent_fits
    ├── FilterFailed            502 (504 on timeout) filter_failed
    ├── StepFailed              502 step_failed
    ├── OrchestratorFailed      503 orchestrator_failed
    ├── DecisionTimeout         504 decision_timeout
    ├── LoopDetected            508 loop_detected
    └── UnsupportedGateway      500 internal_error: the gateway's ext_proc settings cannot work

Anything else is a bug of ours: 500 internal_error, with an id that stands in the log too.
`GATEWAY_ERRORS` are the answers that Envoy gives by itself, rendered into its configuration.
Bodies are rendered by `extproc.apis`, in the shape of the client's API.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Final

log = logging.getLogger(__name__)

_NO_DETAILS: Mapping[str, str | int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Reject:
    """A request that ends here: what the client is told.

    `message` and `details` (members of the error object: filter, agent, upstream_status, id) are
    public. `headers` go out beside `content-type` and `x-outerloop-error`.
    """

    status: int
    code: str
    message: str
    details: Mapping[str, str | int] = field(default_factory=lambda: _NO_DETAILS)
    headers: tuple[tuple[str, str], ...] = ()


class OuterloopError(Exception):
    """Base of the errors with a row in the contract; all it carries is safe to show to a client."""

    status: int
    code: ClassVar[str]

    def __init__(self, message: str, **details: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.headers: tuple[tuple[str, str], ...] = ()

    def reject(self) -> Reject:
        """Return the answer for this error."""
        return Reject(self.status, self.code, self.message, self.details, self.headers)


class InvalidRequest(OuterloopError):
    """The body is not a conversation in the API of its path."""

    status = 400
    code = "invalid_request"


class NotFound(OuterloopError):
    """The listener serves no such path."""

    status = 404
    code = "not_found"


class MethodNotAllowed(OuterloopError):
    """The path exists, for other methods: `allowed`."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f"method {method} is not allowed here; use {allowed}")
        self.headers = (("allow", allowed),)


class RequestTooLarge(OuterloopError):
    """The body is over `limits.max_request_bytes`, as sent or inflated."""

    status = 413
    code = "request_too_large"


class UnsupportedEncoding(OuterloopError):
    """A content-encoding that `limits.decompress` does not list."""

    status = 415
    code = "unsupported_encoding"


class FilterDenied(OuterloopError):
    """A filter refused the request, with its own 4xx status and message."""

    code = "filter_denied"

    def __init__(self, filter_id: str, status: int, message: str) -> None:
        super().__init__(message, filter=filter_id)
        self.status = status


class FilterFailed(OuterloopError):
    """A filter that must run could not: 504 when it was too slow, else 502."""

    code = "filter_failed"

    def __init__(self, filter_id: str, *, timed_out: bool = False) -> None:
        what = "did not answer in time" if timed_out else "failed"
        super().__init__(f"filter {filter_id} {what}", filter=filter_id)
        self.status = 504 if timed_out else 502


class NoAgentFits(OuterloopError):
    """The decision is that no agent fits, and `on_none` is `reject`."""

    status = 422
    code = "no_agent_fits"


class StepFailed(OuterloopError):
    """An agent before the last of a plan failed, and `on_step_error` is `fail`."""

    status = 502
    code = "step_failed"

    def __init__(self, agent: str, upstream_status: int | None = None) -> None:
        super().__init__(f"agent {agent} failed before the last step of the plan", agent=agent)
        if upstream_status is not None:
            self.details["upstream_status"] = upstream_status


class OrchestratorFailed(OuterloopError):
    """The strategy could not decide, and `on_error` is `reject`."""

    status = 503
    code = "orchestrator_failed"


class DecisionTimeout(OuterloopError):
    """The listener's `decision_timeout` is spent, by whatever."""

    status = 504
    code = "decision_timeout"


class LoopDetected(OuterloopError):
    """The request has passed through too many outer loops."""

    status = 508
    code = "loop_detected"


class UnsupportedGateway(OuterloopError):
    """The gateway's ext_proc settings cannot carry a decision; the message names the setting."""

    status = 500
    code = "internal_error"


def to_reject(error: Exception) -> Reject:
    """Map any exception to the answer the client gets.

    Unknown exceptions are logged with a traceback under a fresh error id; the client gets the id
    and nothing else.
    """
    if isinstance(error, OuterloopError):
        return error.reject()
    if isinstance(error, TimeoutError):
        return DecisionTimeout("the decision took too long").reject()
    details = {"id": log_bug(error)}
    return Reject(500, "internal_error", "an internal error; see the log", details)


def log_bug(error: Exception) -> str:
    """Log an exception that nobody foresaw, without its text; return the id it has in the log."""
    error_id = secrets.token_hex(8)
    log.error("internal error %s", error_id, exc_info=_without_values(error))
    return error_id


def _without_values(error: Exception) -> Exception:
    """Copy `error` with its traceback but without its text, which may quote a prompt."""
    anonymous: Exception = type(type(error).__name__, (Exception,), {})("text withheld")
    return anonymous.with_traceback(error.__traceback__)


@dataclass(frozen=True, slots=True)
class GatewayError:
    """An answer that Envoy gives without the processor."""

    code: str
    status: int
    message: str


GATEWAY_ERRORS: Final[Mapping[str, GatewayError]] = MappingProxyType(
    {
        error.code: error
        for error in (
            GatewayError("processor_unavailable", 503, "the processor cannot be reached"),
            GatewayError("decision_timeout", 504, "the decision took too long"),
            GatewayError("request_too_large", 413, "the request body is too large"),
            GatewayError("no_healthy_upstream", 503, "the agent has no healthy host"),
            GatewayError("upstream_unreachable", 503, "cannot connect to the agent"),
            GatewayError("upstream_reset", 503, "the agent closed the connection"),
            GatewayError("overloaded", 503, "too many requests to the agent at once"),
            GatewayError("no_route", 503, "no route for the decision"),
            GatewayError("bad_upstream", 502, "the agent's answer is not valid HTTP"),
            GatewayError("upstream_timeout", 504, "the agent did not answer in time"),
            GatewayError("request_timeout", 408, "the request did not arrive in time"),
            GatewayError("headers_too_large", 431, "the request headers are too large"),
            GatewayError("bad_request", 400, "the request is not valid HTTP"),
        )
    }
)
