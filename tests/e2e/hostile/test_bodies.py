"""Bodies of every size, up to the limit and beyond it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack
    from tests.e2e.hostile.conftest import Agents, Answer, Wire

    Say = Callable[..., bytes]

CHAT: Final = "/v1/chat/completions"
MIB: Final = 2**20
LIMIT: Final = 64 * 1024


def of_size(size: int, say: Say) -> bytes:
    """Return a conversation of exactly so many bytes."""
    return say(padding="x" * (size - len(say(padding=""))))


def length(wire: Wire, body: bytes) -> Answer | None:
    return wire.request(body=body)


def chunked(wire: Wire, body: bytes) -> Answer | None:
    connection = wire.http1()
    connection.send(f"POST {CHAT} HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n")
    for start in range(0, len(body), 50_000):
        part = body[start : start + 50_000]
        connection.send(b"%x\r\n%s\r\n" % (len(part), part))
    connection.send(b"0\r\n\r\n")
    answer = connection.answer()
    connection.close()
    return answer


def http2(wire: Wire, body: bytes) -> Answer | None:
    return wire.h2_request(body)


def http2_with_trailers(wire: Wire, body: bytes) -> Answer | None:
    connection = wire.http2()
    stream = connection.request_headers("POST", CHAT)
    connection.data(stream, body)
    connection.trailers(stream, [("x-checksum", "1")])
    answer = connection.answer(stream)
    connection.close()
    return answer


WAYS: Final = {way.__name__: way for way in (length, chunked, http2, http2_with_trailers)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [100, 16_383, 16_385, MIB - 1, MIB, MIB + 1])
def test_a_body_arrives_byte_for_byte(
    wire: Wire, agents: Agents, say: Say, way: str, size: int
) -> None:
    body = of_size(size, say)
    assert len(body) == size
    answer = WAYS[way](wire, body)
    assert answer is not None
    assert base64.b64decode(answer.json["body"]) == body
    assert len(agents.saw()) == 1


@pytest.mark.parametrize("way", ["length", "chunked", "http2"])
def test_20_mb_arrive_byte_for_byte(wire: Wire, agents: Agents, say: Say, way: str) -> None:
    body = of_size(20_000_000, say)
    answer = WAYS[way](wire, body)
    assert answer is not None
    assert base64.b64decode(answer.json["body"]) == body
    (seen,) = agents.saw()
    assert seen.header("content-length") == "20000000"


@pytest.mark.parametrize("way", ["length", "chunked", "http2"])
@pytest.mark.parametrize("body", [b"", b"1", b"{", b"\0"])
def test_next_to_nothing_is_no_conversation(
    wire: Wire, agents: Agents, way: str, body: bytes
) -> None:
    answer = WAYS[way](wire, body)
    assert answer is not None
    assert answer.refuses(400, "invalid_request")
    assert agents.saw() == []


def test_the_default_limit_itself_passes(wire: Wire, agents: Agents, say: Say) -> None:
    answer = wire.request(body=of_size(32 * MIB, say))
    assert answer.agent == "flight_agent"
    (seen,) = agents.saw()
    assert len(seen.body) == 32 * MIB


@pytest.mark.parametrize("way", ["length", "chunked"])
def test_one_byte_more_than_the_default_limit(
    wire: Wire, agents: Agents, say: Say, way: str
) -> None:
    answer = WAYS[way](wire, of_size(32 * MIB + 1, say))
    assert answer is not None
    assert answer.refuses(413, "request_too_large")
    assert agents.saw() == []


@pytest.fixture(scope="module")
def small(run_module_stack: Callable[[str], Stack], travel_yaml: Callable[..., str]) -> Stack:
    limits = "limits: {max_request_bytes: 64KiB, max_json_depth: 10, max_conversation_messages: 5}"
    return run_module_stack(travel_yaml(more=limits))


@pytest.mark.parametrize("way", WAYS)
def test_a_smaller_limit(
    small: Stack, connect: Callable[[Stack], Wire], agents: Agents, say: Say, way: str
) -> None:
    wire = connect(small)
    for size in (LIMIT - 1, LIMIT):
        answer = WAYS[way](wire, of_size(size, say))
        assert answer is not None
        assert answer.agent == "flight_agent"
    assert [len(seen.body) for seen in agents.saw()] == [LIMIT - 1, LIMIT]
    for size in (LIMIT + 1, 2 * LIMIT, 3 * MIB):
        answer = WAYS[way](wire, of_size(size, say))
        assert answer is not None
        assert answer.refuses(413, "request_too_large")
    assert len(agents.saw()) == 2


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses"])
def test_too_large_in_each_apis_shape(
    small: Stack, connect: Callable[[Stack], Wire], agents: Agents, path: str
) -> None:
    wire = connect(small)
    for body in (b"x" * (LIMIT + 1), b"\xff" * MIB):
        assert wire.request("POST", path, (), body).refuses(413, "request_too_large", path)
    assert agents.saw() == []


def test_the_other_limits_of_the_file(
    small: Stack, connect: Callable[[Stack], Wire], agents: Agents, say: Say
) -> None:
    wire = connect(small)
    turn = {"role": "user", "content": "hello"}

    def nested(levels: int) -> bytes:
        return say(a=None).replace(b"null", b"[" * (levels - 1) + b"]" * (levels - 1))

    for fits in (say(messages=[turn] * 5), nested(10)):
        assert wire.request(body=fits).agent == "flight_agent"
    for too_much in (say(messages=[turn] * 6), nested(11)):
        assert wire.request(body=too_much).refuses(400, "invalid_request")
    assert len(agents.saw()) == 2
