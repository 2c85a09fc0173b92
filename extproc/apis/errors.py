"""Error bodies in the shape of the client's API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from extproc import names
from extproc.errors import Reject


@dataclass(frozen=True, slots=True)
class _Words:
    """What an API calls its errors (`error.type`): a word by status, else one for all 5xx."""

    by_status: Mapping[int, str]
    server: str
    client: str = "invalid_request_error"

    def type(self, status: int) -> str:
        ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return self.by_status.get(status, self.server if ours else self.client)


# https://platform.openai.com/docs/guides/error-codes: 401, 403 and 404 are invalid requests too.
_OPENAI: Final = _Words(
    by_status={
        HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
        HTTPStatus.SERVICE_UNAVAILABLE: "service_unavailable_error",
    },
    server="server_error",
)
# https://docs.anthropic.com/en/api/errors
_ANTHROPIC: Final = _Words(
    by_status={
        HTTPStatus.UNAUTHORIZED: "authentication_error",
        HTTPStatus.PAYMENT_REQUIRED: "billing_error",
        HTTPStatus.FORBIDDEN: "permission_error",
        HTTPStatus.NOT_FOUND: "not_found_error",
        HTTPStatus.CONFLICT: "conflict_error",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request_too_large",
        HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
        HTTPStatus.GATEWAY_TIMEOUT: "timeout_error",
    },
    server="api_error",
)


def error_body(path: str, reject: Reject) -> bytes:
    """Render the body of an error: Anthropic's shape under `/v1/messages`, else OpenAI's.

    ASCII only: whatever characters a message has, lone surrogates too, stand as escapes.
    """
    body: dict[str, Any]
    if path.startswith(names.PATH_MESSAGES):
        body = {"type": "error", "error": _error(reject, _ANTHROPIC)}
    else:
        body = {"error": _error(reject, _OPENAI) | {"param": None}}
    body["error"] |= reject.details
    return json.dumps(body).encode()


def _error(reject: Reject, words: _Words) -> dict[str, str | int | None]:
    return {
        "message": reject.message,
        "type": words.type(reject.status),
        "code": reject.code,
    }


def error_event(path: str, reject: Reject) -> bytes:
    """Render an error as the event that ends a stream of the API of `path`.

    Chat completions have it as data alone, as OpenAI sends it; the others name the event.
    """
    body = error_body(path, reject)
    if path.startswith(names.PATH_MESSAGES):
        return b"event: error\ndata: %s\n\n" % body
    if path.startswith(names.PATH_RESPONSES):
        flat = json.loads(body)["error"] | {"type": "error", "sequence_number": 0}
        return b"event: error\ndata: %s\n\n" % json.dumps(flat).encode()
    return b"data: %s\n\n" % body
