from __future__ import annotations

import json
from collections.abc import Callable

import anthropic
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc import names
from extproc.apis.errors import error_body
from extproc.errors import Reject

OpenAIClient = Callable[[int, bytes], openai.OpenAI]
AnthropicClient = Callable[[int, bytes], anthropic.Anthropic]


def test_both_shapes() -> None:
    reject = Reject(502, "step_failed", "it failed", {"agent": "a", "upstream_status": 500})
    assert json.loads(error_body(names.PATH_CHAT, reject)) == {
        "error": {
            "message": "it failed",
            "type": "server_error",
            "code": "step_failed",
            "param": None,
            "agent": "a",
            "upstream_status": 500,
        }
    }
    assert json.loads(error_body(names.PATH_MESSAGES, reject)) == {
        "type": "error",
        "error": {
            "message": "it failed",
            "type": "api_error",
            "code": "step_failed",
            "agent": "a",
            "upstream_status": 500,
        },
    }


@pytest.mark.parametrize(
    ("path", "is_anthropic"),
    [
        ("/v1/messages", True),
        ("/v1/messages/count_tokens", True),
        ("/v1/chat/completions", False),
        ("/v1/responses", False),
        ("/v1/models", False),
        ("/anything", False),
        ("", False),
    ],
)
def test_the_path_decides_the_shape(path: str, *, is_anthropic: bool) -> None:
    body = json.loads(error_body(path, Reject(404, "not_found", "no such path")))
    assert (body.get("type") == "error") is is_anthropic
    assert ("param" in body["error"]) is not is_anthropic


@given(st.text() | st.sampled_from(['"quoted"\n\\', "\ud800", "\x00\x7f\u2028", "🌞"]))
def test_any_message_survives(message: str) -> None:
    for path in (names.PATH_CHAT, names.PATH_MESSAGES):
        body = error_body(path, Reject(400, "invalid_request", message))
        assert json.loads(body)["error"]["message"] == message
        assert body.isascii()
        assert b"\n" not in body


OPENAI = [
    (400, "invalid_request_error", openai.BadRequestError),
    (401, "invalid_request_error", openai.AuthenticationError),
    (404, "invalid_request_error", openai.NotFoundError),
    (405, "invalid_request_error", openai.APIStatusError),
    (413, "invalid_request_error", openai.APIStatusError),
    (422, "invalid_request_error", openai.UnprocessableEntityError),
    (429, "rate_limit_error", openai.RateLimitError),
    (500, "server_error", openai.InternalServerError),
    (503, "service_unavailable_error", openai.InternalServerError),
    (508, "server_error", openai.InternalServerError),
]


@pytest.mark.parametrize(("status", "word", "exception"), OPENAI)
def test_the_openai_package_understands(
    status: int, word: str, exception: type[openai.APIStatusError], openai_client: OpenAIClient
) -> None:
    client = openai_client(status, error_body(names.PATH_CHAT, Reject(status, "code", "why")))
    with pytest.raises(exception) as raised:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    error = raised.value
    assert (error.status_code, error.type, error.code, error.param) == (status, word, "code", None)
    assert "why" in error.message


ANTHROPIC = [
    (400, "invalid_request_error", anthropic.BadRequestError),
    (401, "authentication_error", anthropic.AuthenticationError),
    (403, "permission_error", anthropic.PermissionDeniedError),
    (404, "not_found_error", anthropic.NotFoundError),
    (413, "request_too_large", anthropic.APIStatusError),
    (422, "invalid_request_error", anthropic.UnprocessableEntityError),
    (429, "rate_limit_error", anthropic.RateLimitError),
    (500, "api_error", anthropic.InternalServerError),
    (503, "api_error", anthropic.InternalServerError),
    (504, "timeout_error", anthropic.InternalServerError),
]


@pytest.mark.parametrize(("status", "word", "exception"), ANTHROPIC)
def test_the_anthropic_package_understands(
    status: int,
    word: str,
    exception: type[anthropic.APIStatusError],
    anthropic_client: AnthropicClient,
) -> None:
    body = error_body(names.PATH_MESSAGES, Reject(status, "code", "why"))
    client = anthropic_client(status, body)
    with pytest.raises(exception) as raised:
        client.messages.create(
            model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}]
        )
    assert raised.value.status_code == status
    assert raised.value.body == json.loads(body)
    assert json.loads(body)["error"]["type"] == word
    assert "why" in raised.value.message
