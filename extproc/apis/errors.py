"""Error bodies in the shape of the client's API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from extproc import names
from extproc.errors import Reject

_OPENAI_TYPES: Final[Mapping[int, str]] = {
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}
_ANTHROPIC_TYPES: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.PAYMENT_REQUIRED: "billing_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.CONFLICT: "conflict_error",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request_too_large",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    HTTPStatus.GATEWAY_TIMEOUT: "timeout_error",
    529: "overloaded_error",
}
"""https://docs.anthropic.com/en/api/errors; other statuses by their class."""


def error_body(path: str, reject: Reject) -> bytes:
    """Render the body of an error: Anthropic's shape under `/v1/messages`, else OpenAI's.

    ASCII only: whatever characters a message has, lone surrogates too, stand as escapes.
    """
    anthropic = path.startswith(names.PATH_MESSAGES)
    error: dict[str, str | int | None] = {
        "message": reject.message,
        "type": _anthropic_type(reject.status) if anthropic else _openai_type(reject.status),
        "code": reject.code,
    }
    if anthropic:
        return json.dumps({"type": "error", "error": error | dict(reject.details)}).encode()
    return json.dumps({"error": error | {"param": None} | dict(reject.details)}).encode()


def _openai_type(status: int) -> str:
    is_ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return _OPENAI_TYPES.get(status, "server_error" if is_ours else "invalid_request_error")


def _anthropic_type(status: int) -> str:
    is_ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return _ANTHROPIC_TYPES.get(status, "api_error" if is_ours else "invalid_request_error")
