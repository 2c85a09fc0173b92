"""HTTP/2 with prior knowledge, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack
    from tests.e2e.hostile.conftest import Agents, Wire

    Say = Callable[..., bytes]
    Fields = list[tuple[str, str]]

CHAT: Final = "/v1/chat/completions"
PSEUDO: Final = [
    (":method", "POST"),
    (":scheme", "http"),
    (":authority", "test"),
    (":path", CHAT),
]
SPOOF: Final = ("x-outerloop-agent", "hotel_agent")


def without(name: str) -> Fields:
    return [field for field in PSEUDO if field[0] != name]


def test_empty_data_frames_change_nothing(wire: Wire, agents: Agents, say: Say) -> None:
    connection = wire.http2()
    stream = connection.request_headers("POST", CHAT)
    for part in (b"", say()[:10], b"", say()[10:], b""):
        connection.h2.send_data(stream, part)
        connection.flush()
    connection.data(stream, b"", end=True)
    answer = connection.answer(stream)
    assert answer is not None
    assert answer.agent == "flight_agent"
    (seen,) = agents.saw()
    assert seen.body == say()


def test_a_flood_of_empty_frames_ends_the_connection(wire: Wire, agents: Agents) -> None:
    connection = wire.http2()
    stream = connection.request_headers("POST", CHAT, SPOOF)
    for _ in range(1000):
        connection.h2.send_data(stream, b"")
    connection.flush()
    assert connection.answer(stream) is None
    assert connection.gone
    assert agents.saw() == []


def test_headers_too_large_to_decode_end_the_connection(wire: Wire, agents: Agents) -> None:
    connection = wire.http2()
    stream = connection.request_headers("POST", CHAT, SPOOF, ("x-a", "a" * 2**17))
    assert connection.answer(stream) is None
    assert connection.gone
    assert agents.saw() == []


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses"])
def test_no_body_at_all_is_an_empty_body(wire: Wire, agents: Agents, path: str) -> None:
    for body in (None, b""):
        answer = wire.h2_request(body, (SPOOF,), target=path)
        assert answer is not None
        assert answer.refuses(400, "invalid_request", path)
    assert agents.saw() == []


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses"])
def test_trailers_walk_round_nothing(wire: Wire, agents: Agents, say: Say, path: str) -> None:
    connection = wire.http2()
    with_body = connection.request_headers("POST", path, SPOOF)
    connection.data(with_body, say(path))
    connection.trailers(with_body, [("x-checksum", "1"), SPOOF])
    answer = connection.answer(with_body)
    assert answer is not None
    assert answer.agent == "flight_agent"
    (seen,) = agents.saw()
    assert seen.body == say(path)
    assert seen.all("x-outerloop-agent") == ["flight_agent"]


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses"])
@pytest.mark.parametrize("data", [(), (b"",), (b"no json",)])
def test_trailers_after_no_conversation_reach_no_agent(
    wire: Wire, agents: Agents, path: str, data: tuple[bytes, ...]
) -> None:
    connection = wire.http2()
    stream = connection.request_headers("POST", path, SPOOF)
    for part in data:
        connection.h2.send_data(stream, part)
    connection.trailers(stream, [("x-checksum", "1"), SPOOF])
    answer = connection.answer(stream)
    assert answer is not None
    assert answer.refuses(400, "invalid_request", path)
    assert agents.saw() == []


def test_trailers_of_other_requests(wire: Wire, agents: Agents) -> None:
    expected = {
        ("GET", "/v1/models"): 200,
        ("GET", CHAT): 405,
        ("POST", "/v1/models"): 405,
        ("GET", "/healthz"): 200,
        ("GET", "/"): 404,
    }
    connection = wire.http2()
    for (method, path), status in expected.items():
        stream = connection.request_headers(method, path, SPOOF)
        connection.trailers(stream, [SPOOF])
        answer = connection.answer(stream)
        assert answer is not None
        assert answer.status == status
    assert agents.saw() == []


MALFORMED: dict[str, tuple[Fields, Fields]] = {
    "content-length too large": (PSEUDO, [("content-length", "1000")]),
    "content-length too small": (PSEUDO, [("content-length", "5")]),
    "content-length twice": (PSEUDO, [("content-length", "77"), ("content-length", "5")]),
    "content-length no number": (PSEUDO, [("content-length", "+77")]),
    "transfer-encoding": (PSEUDO, [("transfer-encoding", "chunked")]),
    "connection": (PSEUDO, [("connection", "close")]),
    "upgrade": (PSEUDO, [("upgrade", "websocket")]),
    "te": (PSEUDO, [("te", "gzip")]),
    "upper case": (PSEUDO, [("X-Tenant", "a")]),
    "upper case of ours": (PSEUDO, [("X-Outerloop-Agent", "hotel_agent")]),
    "line break in a value": (PSEUDO, [("x-a", "1\r\nx-outerloop-agent: hotel_agent")]),
    "nul in a value": (PSEUDO, [("x-a", "\0")]),
    "no name": (PSEUDO, [("", "a")]),
    "blank in a name": (PSEUDO, [("x a", "a")]),
    "colon in a name": (PSEUDO, [("x:a", "a")]),
    "line break in a name": (PSEUDO, [("x-a\r\nx-outerloop-agent", "hotel_agent")]),
    "pseudo-header after others": (without(":path"), [("x-a", "a"), (":path", CHAT)]),
    "unknown pseudo-header": (PSEUDO, [(":agent", "hotel_agent")]),
    "two paths": (PSEUDO, [(":path", "/v1/messages")]),
    "no path": (without(":path"), []),
    "no method": (without(":method"), []),
    "no scheme": (without(":scheme"), []),
    "no authority": (without(":authority"), []),
    "empty path": ([*without(":path"), (":path", "")], []),
    "line break in the path": ([*without(":path"), (":path", f"{CHAT}\r\nx: y")], []),
    "blank in the path": ([*without(":path"), (":path", f"{CHAT} HTTP/1.1")], []),
    "blank in the authority": ([*without(":authority"), (":authority", "a b")], []),
    "extended connect": ([*without(":method"), (":method", "CONNECT"), (":protocol", "x")], []),
    "1000 headers": (PSEUDO, [(f"x-{i}", "a") for i in range(1000)]),
    "header of 64 KiB": (PSEUDO, [("x-a", "a" * 2**16)]),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_stream_ends_alone(wire: Wire, agents: Agents, say: Say, case: str) -> None:
    """It is reset, or refused with a 4xx; its neighbours on the connection are served."""
    connection = wire.http2()
    before = connection.request_headers("POST", CHAT)
    pseudo, more = MALFORMED[case]
    stream = connection.headers([*pseudo, *more])
    connection.data(stream, say(), end=True)
    answer = connection.answer(stream)
    assert answer is None or 400 <= answer.status < 500
    connection.data(before, say(model="weather_agent"), end=True)
    after = connection.request_headers("POST", CHAT)
    connection.data(after, say(model="weather_agent"), end=True)
    for neighbour in (connection.answer(before), connection.answer(after)):
        assert neighbour is not None
        assert neighbour.agent == "weather_agent"
    assert {seen.agent for seen in agents.saw()} == {"weather_agent"}


@pytest.mark.parametrize(
    "trailers",
    [
        [(":path", "/v1/messages")],
        [("X-Upper", "a")],
        [("x-a", "a\r\nb: c")],
        [(f"x-{i}", "a") for i in range(1000)],
        [("x-a", "a" * 2**16)],
    ],
    ids=["pseudo-header", "upper case", "line break", "1000", "64 KiB"],
)
def test_malformed_trailers_reach_no_agent(
    wire: Wire, agents: Agents, say: Say, trailers: Fields
) -> None:
    connection = wire.http2()
    stream = connection.request_headers("POST", CHAT)
    connection.data(stream, say())
    connection.trailers(stream, trailers)
    answer = connection.answer(stream)
    assert answer is None or 400 <= answer.status < 500
    assert agents.saw() == []


def test_what_is_legal_passes(wire: Wire, agents: Agents, say: Say) -> None:
    more = (
        ("content-length", str(len(say()))),
        ("te", "trailers"),
        ("cookie", "a=b"),
        ("cookie", "c=d"),
        ("x-tenant", "caf\xe9"),
        ("x_tenant", "acme"),
    )
    answer = wire.h2_request(say(), more)
    assert answer is not None
    assert answer.agent == "flight_agent"
    (seen,) = agents.saw()
    assert seen.header("cookie") == "a=b; c=d"
    assert seen.header("x-tenant") == "caf\xe9".encode().decode("latin-1")
    assert seen.header("x_tenant") == "acme"


def test_an_unknown_method(wire: Wire, agents: Agents, say: Say) -> None:
    for method in ("FOO", "post", "PROPFIND"):
        answer = wire.h2_request(say(), (SPOOF,), method=method)
        assert answer is not None
        assert answer.refuses(405, "method_not_allowed")
    assert agents.saw() == []


@pytest.mark.parametrize("end", [True, False])
def test_connect_is_no_tunnel(wire: Wire, agents: Agents, *, end: bool) -> None:
    connection = wire.http2()
    authority = (":authority", "127.0.0.1:80")
    stream = connection.headers([(":method", "CONNECT"), authority, SPOOF], end=end)
    answer = connection.answer(stream)
    assert answer is not None
    assert answer.refuses(400, "bad_request")
    assert agents.saw() == []


def test_a_client_that_gives_up_in_the_middle_of_the_body(
    wire: Wire, agents: Agents, say: Say
) -> None:
    connection = wire.http2()
    for _ in range(200):
        stream = connection.request_headers("POST", CHAT, SPOOF)
        connection.data(stream, say()[:20])
        connection.reset(stream)
    last = connection.request_headers("POST", CHAT)
    connection.data(last, say(), end=True)
    answer = connection.answer(last)
    assert answer is not None
    assert answer.agent == "flight_agent"
    assert len(agents.saw()) == 1


def test_clients_that_give_up_while_it_is_decided(travel: Stack, wire: Wire, say: Say) -> None:
    connection = wire.http2()
    for _ in range(200):
        stream = connection.request_headers("POST", CHAT, ("x-test-delay", "1"))
        connection.data(stream, say(), end=True)
        connection.reset(stream)
    last = wire.h2_request(say())
    assert last is not None
    assert last.agent == "flight_agent"
    assert travel.ready()["status"] == "ready"


def test_many_streams_at_once(wire: Wire, agents: Agents, say: Say) -> None:
    connection = wire.http2()
    names = ("weather_agent", "flight_agent", "hotel_agent")
    streams = {}
    for number in range(300):
        stream = connection.request_headers("POST", CHAT)
        streams[stream] = names[number % 3]
        connection.data(stream, say(model=streams[stream]), end=True)
    for stream, agent in streams.items():
        answer = connection.answer(stream)
        assert answer is not None
        assert answer.agent == agent
    assert len(agents.saw()) == 300
