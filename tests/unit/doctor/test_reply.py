from __future__ import annotations

from typing import Any

import pytest

from extproc.doctor.reply import Reply

ERROR = b'{"error": {"message": "set BUFFERED", "code": "internal_error"}}'


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(204), "204"),
        (Reply(404), "404 that is none of ours"),
        (Reply(503, (("server", "envoy"),)), "503 that is none of ours (envoy)"),
        (Reply(301, (("location", "https://x/"),)), "301 that is none of ours (https://x/)"),
        (Reply(413, (("x-outerloop-error", "request_too_large"),)), "413 request_too_large"),
        (
            Reply(500, (("x-outerloop-error", "internal_error"),), ERROR),
            "500 internal_error (set BUFFERED)",
        ),
    ],
)
def test_it_is_told_in_a_few_words(reply: Reply, told: str) -> None:
    assert str(reply) == told


def test_the_first_header_of_a_name_counts() -> None:
    reply = Reply(200, (("a", "1"), ("a", "2")))
    assert (reply.header("a"), reply.header("b")) == ("1", None)


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b'{"error": "text"}', b"[" * 100_000])
def test_a_body_that_says_nothing(body: bytes) -> None:
    assert Reply(400, body=body).error == {}


def test_an_error_is_read_from_the_body() -> None:
    error: dict[str, Any] = Reply(500, body=ERROR).error
    assert error["code"] == "internal_error"


def test_a_refusal_has_its_status_and_its_code() -> None:
    reply = Reply(400, (("x-outerloop-error", "invalid_request"),))
    assert reply.refuses(400, "invalid_request")
    assert not reply.refuses(413, "invalid_request")
    assert not Reply(400).refuses(400, "invalid_request")
    assert not reply.succeeded
