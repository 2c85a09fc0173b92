"""What a client gets is what the agent answered: status, headers, body, trailers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Answer, Stack

CHAT = "/v1/chat/completions"
BODY = b'{"model": "hotel_agent", "messages": [{"role": "user", "content": "hello"}]}'
PSEUDO = [(":method", "POST"), (":path", CHAT), (":scheme", "http"), (":authority", "x")]
OWN_WORDS = '  {"error":  "whatever the agent\\u0020says",\r\n "n": 1.00}'
HEADERS = [
    ("set-cookie", "a=1; Path=/; HttpOnly"),
    ("set-cookie", "b=2; Path=/"),
    ("server", "agent/9.9"),
    ("date", "Tue, 15 Nov 1994 08:12:31 GMT"),
    ("retry-after", "7"),
    ("content-type", "application/problem+json; charset=latin-1"),
    ("cache-control", "no-store"),
    ("x-ratelimit-remaining-tokens", "0"),
    ("x_under_score", "kept"),
    ("x-should-retry", "false"),
    ("www-authenticate", "Bearer realm=agent"),
    ("vary", "accept, origin"),
    ("x-many", "one"),
    ("x-many", "two"),
]
STATUSES = [200, 201, 202, 302, 400, 401, 403, 404, 409, 422, 429, 500, 501, 502, 503, 504, 529]


@pytest.mark.parametrize("status", STATUSES)
def test_status_headers_and_body_come_back_as_sent(
    http: httpx.Client, travel: Stack, status: int
) -> None:
    wish = {
        "x-test-status": str(status),
        "x-test-headers": json.dumps(HEADERS),
        "x-test-body": json.dumps(OWN_WORDS),
    }
    answer = http.post(travel.url + CHAT, content=BODY, headers=wish, timeout=30)
    assert answer.status_code == status
    assert answer.content == OWN_WORDS.encode()
    got = answer.headers
    for name in dict(HEADERS):
        wanted = [value for key, value in HEADERS if key == name]
        assert got.get_list(name) == wanted, name
    assert got.get_list("content-length") == [str(len(OWN_WORDS))]
    assert "x-outerloop-error" not in got
    assert "transfer-encoding" not in got
    assert got["x-outerloop-agent"] == "hotel_agent"


def test_envoy_adds_nothing_of_its_own(http: httpx.Client, travel: Stack) -> None:
    answer = http.post(travel.url + CHAT, content=BODY)
    names = {name for name in answer.headers if not name.startswith("x-outerloop-")}
    assert names == {"content-type", "content-length", "date", "server", "x-request-id"}
    assert "aiohttp" in answer.headers["server"]


def test_an_agents_own_outerloop_headers_are_removed(http: httpx.Client, travel: Stack) -> None:
    own = [
        ("x-outerloop-agent", "forged"),
        ("X-Outerloop-Error", "forged"),
        ("x-outerloop-whatever", "forged"),
        ("x-outerloop-variant", "forged"),
        ("x-outer-loop", "kept"),
    ]
    wish = {"x-test-headers": json.dumps(own)}
    answer = http.post(travel.url + CHAT, content=BODY, headers=wish)
    assert "forged" not in answer.headers.values()
    assert answer.headers["x-outerloop-agent"] == "hotel_agent"
    assert answer.headers["x-outer-loop"] == "kept"


def test_trailers_over_http1(travel: Stack, http1: Callable[[int, bytes], Answer]) -> None:
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(BODY)}\r\nte: trailers\r\n"
        'connection: close, te\r\nx-test-trailers: {"x-checksum": "abc", "x-cost": "0.1"}\r\n\r\n'
    )
    answer = http1(travel.port, head.encode() + BODY)
    assert answer.status == 200
    assert answer.header("trailer") == "x-checksum, x-cost"
    assert answer.body.startswith(b"5\r\nhello\r\n0\r\n")
    assert set(answer.body.split(b"\r\n")[3:]) == {b"x-checksum: abc", b"x-cost: 0.1", b""}


def test_trailers_over_http2(travel: Stack, http2: Callable[..., Answer]) -> None:
    wish = [("te", "trailers"), ("x-test-trailers", '{"x-checksum": "abc", "x-cost": "0.1"}')]
    answer = http2(travel.port, [*PSEUDO, *wish], BODY)
    assert (answer.status, answer.body) == (200, b"hello")
    assert sorted(answer.trailers) == [("x-checksum", "abc"), ("x-cost", "0.1")]


def test_http2_clients_get_the_agents_headers(travel: Stack, http2: Callable[..., Answer]) -> None:
    wish = [("x-test-status", "429"), ("x-test-headers", json.dumps(HEADERS))]
    answer = http2(travel.port, [*PSEUDO, *wish], BODY)
    assert answer.status == 429
    assert answer.all("set-cookie") == ["a=1; Path=/; HttpOnly", "b=2; Path=/"]
    assert answer.all("server") == ["agent/9.9"]
    assert answer.all("retry-after") == ["7"]


def test_a_compressed_answer_is_not_touched(http: httpx.Client, travel: Stack) -> None:
    wish = {
        "x-test-headers": '[["content-encoding", "br"], ["etag", "W/1"]]',
        "x-test-body": '"not really brotli"',
    }
    with http.stream("POST", travel.url + CHAT, content=BODY, headers=wish) as answer:
        assert answer.headers["content-encoding"] == "br"
        assert b"".join(answer.iter_raw()) == b"not really brotli"


def test_a_request_with_trailers_is_answered_like_any_other(
    travel: Stack, http2: Callable[..., Answer]
) -> None:
    answer = http2(travel.port, PSEUDO, BODY, [("x-end", "1")])
    assert (answer.status, answer.header("x-outerloop-agent")) == (200, "hotel_agent")
