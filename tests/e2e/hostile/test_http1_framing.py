"""HTTP/1.1 that no honest client sends: where a message ends, what a header is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.e2e.hostile.conftest import Agents, Wire

    Say = Callable[..., bytes]

POST: Final = b"POST /v1/chat/completions HTTP/1.1\r\nhost: test\r\n"
CHUNKED: Final = b"transfer-encoding: chunked\r\n"
SPOOF: Final = b"x-outerloop-agent: hotel_agent"


def chunked(body: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    half = len(body) // 2
    parts = body[:half], body[half:]
    chunks = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts)
    return chunks + b"0%s\r\n%s\r\n" % (extension, trailers)


def length(body: bytes) -> bytes:
    return b"content-length: %d\r\n" % len(body)


@pytest.mark.parametrize(
    ("extension", "trailers"),
    [
        (b"", b""),
        (b';name=value;quoted="a;b"', b""),
        (b"; a = b", b""),
        (b"", b"x-checksum: 1\r\n"),
        (b"", SPOOF + b"\r\n" + SPOOF.upper() + b"\r\ncontent-length: 3\r\nhost: x\r\n"),
    ],
)
def test_chunks_extensions_and_trailers_arrive_as_the_body(
    wire: Wire, agents: Agents, say: Say, extension: bytes, trailers: bytes
) -> None:
    connection = wire.http1()
    connection.send(POST, CHUNKED, b"\r\n", chunked(say(), extension, trailers))
    answer = connection.answer()
    assert answer is not None
    assert answer.agent == "flight_agent"
    (seen,) = agents.saw()
    assert seen.body == say()
    assert seen.all("x-outerloop-agent") == ["flight_agent"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_trailers_without_a_body_are_an_empty_body(wire: Wire, agents: Agents, path: str) -> None:
    connection = wire.http1()
    connection.send(f"POST {path} HTTP/1.1\r\nhost: test\r\n", SPOOF, b"\r\n", CHUNKED, b"\r\n")
    connection.send(b"0\r\nx-checksum: 1\r\n", SPOOF, b"\r\n\r\n")
    answer = connection.answer()
    assert answer is not None
    assert answer.refuses(400, "invalid_request", path)
    assert agents.saw() == []


@pytest.mark.parametrize(
    "framing",
    [
        b"content-length: 5\r\n" + CHUNKED,
        CHUNKED + b"content-length: 5\r\n",
        b"content-length: 68\r\ncontent-length: 5\r\n",
        b"content-length: 68\r\ncontent-length: 68\r\n",
        b"content-length: 68, 68\r\n",
        b"content-length: +68\r\n",
        b"content-length: -1\r\n",
        b"content-length: 0x44\r\n",
        b"content-length: 6 8\r\n",
        b"content-length: 68a\r\n",
        b"content-length:\r\n",
        b"content-length: 99999999999999999999999\r\n",
        b"transfer-encoding: identity\r\n",
        b"transfer-encoding: gzip, chunked\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding: \x0bchunked\r\n",
        b"transfer-encoding : chunked\r\n",
        CHUNKED + CHUNKED,
    ],
)
def test_a_body_of_doubtful_length_is_refused(
    wire: Wire, agents: Agents, say: Say, framing: bytes
) -> None:
    connection = wire.http1()
    connection.send(POST, framing, b"\r\n", chunked(say()))
    answer = connection.answer()
    assert answer is not None
    assert answer.refuses(400, "bad_request")
    assert answer.header("connection") == "close"
    assert agents.saw() == []


@pytest.mark.parametrize("size", [b"zz", b"-5", b"0x44", b" 44", b"", b"f" * 17, b"44\n"])
def test_a_chunk_of_bad_size_is_refused(wire: Wire, agents: Agents, say: Say, size: bytes) -> None:
    connection = wire.http1()
    connection.send(POST, CHUNKED, b"\r\n", size, b"\r\n", say(), b"\r\n0\r\n\r\n")
    answer = connection.answer()
    assert answer is not None
    assert answer.refuses(400, "bad_request")
    assert answer.header("connection") == "close"
    assert agents.saw() == []


def test_what_follows_too_small_a_length_is_no_request(
    wire: Wire, agents: Agents, say: Say
) -> None:
    connection = wire.http1()
    connection.send(POST, b"content-length: 10\r\n\r\n", say())
    first = connection.answer()
    assert first is not None
    assert first.refuses(400, "invalid_request")
    second = connection.answer()
    assert second is None or second.refuses(400, "bad_request")
    assert connection.closed()
    assert agents.saw() == []


def test_a_request_within_a_body_is_not_looked_at(wire: Wire, agents: Agents, say: Say) -> None:
    inner = POST + SPOOF + b"\r\n" + length(say()) + b"\r\n" + say()
    connection = wire.http1()
    connection.send(POST, length(inner), b"\r\n", inner)
    answer = connection.answer()
    assert answer is not None
    assert answer.refuses(400, "invalid_request")
    assert agents.saw() == []


def test_two_requests_at_once_are_two(wire: Wire, agents: Agents, say: Say) -> None:
    one = POST + length(say()) + b"\r\n" + say()
    other = POST + SPOOF + b"\r\n" + CHUNKED + b"\r\n" + chunked(say(model="weather_agent"))
    connection = wire.http1()
    connection.send(one + other + one)
    answers = [connection.answer() for _ in range(3)]
    assert [answer and answer.agent for answer in answers] == [
        "flight_agent",
        "weather_agent",
        "flight_agent",
    ]
    assert sorted(seen.agent for seen in agents.saw()) == [
        "flight_agent",
        "flight_agent",
        "weather_agent",
    ]


@pytest.mark.parametrize(
    "line",
    [b"x-a: b\n" + SPOOF, b"x-a: b\r" + SPOOF, b"x-a: b\r\n " + SPOOF, b"x-a: b\r\n\t" + SPOOF],
    ids=["LF", "CR", "folded by a blank", "folded by a tab"],
)
def test_a_header_cannot_hide_another(wire: Wire, agents: Agents, say: Say, line: bytes) -> None:
    connection = wire.http1()
    connection.send(POST, line, b"\r\n", length(say()), b"\r\n", say())
    answer = connection.answer()
    assert answer is not None
    seen = agents.saw()
    if answer.status == 200:
        assert [each.agent for each in seen] == ["flight_agent"]
        assert seen[0].all("x-outerloop-agent") == ["flight_agent"]
        assert not any("\r" in value or "\n" in value for _, value in seen[0].headers)
    else:
        assert answer.refuses(400, "bad_request")
        assert seen == []


@pytest.mark.parametrize(
    "head",
    [
        POST + b": no name\r\n",
        POST + b"two words: a\r\n",
        POST + b"no colon\r\n",
        POST + b"x-\xe9: a\r\n",
        POST + b"x-a: nul \0\r\n",
        POST + b"x-a: \x01\r\n",
        POST + b"x-a: del \x7f\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: two words\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\\b\r\n",
        b"POST /v1/chat/completions HTTP/1.0\r\n",
        b"POST /v1/chat/completions HTTP/1.0\r\nhost: test\r\n",
        b"POST /v1/chat/completions HTTP/2.0\r\nhost: test\r\n",
        b"POST /v1/chat/completions HTTP/9.9\r\nhost: test\r\n",
        b"POST /v1/chat/completions\r\nhost: test\r\n",
        b"POST  HTTP/1.1\r\nhost: test\r\n",
        b"hello world\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    ],
)
def test_what_is_not_http_is_refused(wire: Wire, agents: Agents, say: Say, head: bytes) -> None:
    connection = wire.http1()
    connection.send(head, length(say()), b"\r\n", say())
    answer = connection.answer()
    assert answer is not None
    assert answer.refuses(400, "bad_request")
    assert answer.header("connection") == "close"
    assert agents.saw() == []


def test_a_refusal_has_the_shape_of_the_path_it_was_meant_for(wire: Wire) -> None:
    connection = wire.http1()
    connection.send(b"POST /v1/messages HTTP/1.1\r\ncontent-length: 0\r\n\r\n")
    answer = connection.answer()
    assert answer is not None
    assert answer.refuses(400, "bad_request", "/v1/messages")


def test_bytes_beyond_ascii_in_a_value_pass(wire: Wire, agents: Agents, say: Say) -> None:
    values = ("x-tenant: caf\xe9", 'x-request-id: b\xe9"c', "x-empty:", "x-tab: a\tb")
    assert wire.request(headers=values, body=say()).agent == "flight_agent"
    (seen,) = agents.saw()
    names = ("x-tenant", "x-request-id", "x-empty", "x-tab")
    assert [seen.header(name) for name in names] == ["caf\xe9", 'b\xe9"c', "", "a\tb"]


@pytest.mark.parametrize("count", [80, 84, 86, 88, 90, 92, 94, 96, 98, 100, 101, 1000])
def test_headers_pass_or_are_too_many(wire: Wire, agents: Agents, say: Say, count: int) -> None:
    answer = wire.request(headers=tuple(f"x-{i}: a" for i in range(count)), body=say())
    if answer.status == 200:
        assert len(agents.saw()) == 1
        assert count < 100
    else:
        assert answer.refuses(431, "headers_too_large")
        assert agents.saw() == []
        assert count > 80


@pytest.mark.parametrize("count", [90, 1000])
def test_too_many_headers_that_the_processor_never_sees(
    wire: Wire, agents: Agents, say: Say, count: int
) -> None:
    answer = wire.request(headers=("x-api-key: a",) * count, body=say())
    assert answer.refuses(431, "headers_too_large")
    assert agents.saw() == []


@pytest.mark.parametrize("size", [50_000, 60_000, 61_000, 61_300, 61_400, 64 * 1024, 2**20])
@pytest.mark.parametrize("part", ["x-a: {}", "{}: a"])
def test_a_header_passes_or_is_too_large(
    wire: Wire, agents: Agents, say: Say, part: str, size: int
) -> None:
    answer = wire.request(headers=(part.format("a" * size),), body=say())
    if answer.status == 200:
        assert len(agents.saw()) == 1
        assert size < 61_440
    else:
        assert answer.refuses(431, "headers_too_large")
        assert agents.saw() == []
        assert size > 50_000


def test_too_long_a_request_line(wire: Wire, agents: Agents, say: Say) -> None:
    for size in (64 * 1024, 2**20):
        answer = wire.request("POST", f"/v1/chat/completions?{'q' * size}", body=say())
        assert answer.refuses(431, "headers_too_large")
        answer = wire.request("X" * size, "/v1/messages", body=say())
        assert answer.status in {400, 431}
        assert answer.header("x-outerloop-error") in {"bad_request", "headers_too_large"}
    assert agents.saw() == []
