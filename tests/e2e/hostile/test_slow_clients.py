"""Clients that take their time, take many connections, or leave in the middle."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack
    from tests.e2e.hostile.conftest import Agents, Http1, Wire

    Say = Callable[..., bytes]

CHAT: Final = "/v1/chat/completions"
PATHS: Final = (CHAT, "/v1/messages", "/v1/responses")
UPLOADS: Final = 200
REQUESTS: Final = "http.agents.travel.downstream_rq_active"
"""Requests that Envoy has begun to read and not answered."""
STREAMS: Final = "cluster.processor.upstream_rq_active"
"""Streams that are open to the processor."""


@pytest.fixture
def gauges(travel: Stack) -> Callable[..., dict[str, int]]:
    """Return a function that asks Envoy's own admin, on its unix socket, for figures."""
    command = Path(f"/proc/{travel.ready()['envoy']['pid']}/cmdline").read_bytes().split(b"\0")
    bootstrap = Path(command[command.index(b"--config-path") + 1].decode())
    admin = str(bootstrap.parent / "envoy.sock")

    def ask(*names: str) -> dict[str, int]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(admin)
            pattern = "|".join(names)
            connection.sendall(
                f"GET /stats?format=json&filter=^({pattern})$ HTTP/1.1\r\nhost: a\r\n"
                "connection: close\r\n\r\n".encode()
            )
            answer = b"".join(iter(lambda: connection.recv(2**16), b""))
        text = answer[answer.index(b"{") : answer.rindex(b"}") + 1]
        stats = json.loads(text)["stats"]
        return {stat["name"]: stat["value"] for stat in stats if "name" in stat}

    return ask


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Uploads:
    """Requests whose bodies come a byte at a time, 10 a second, until they are told to finish."""

    def __init__(self, wire: Wire, bodies: list[tuple[str, bytes]]) -> None:
        self.connections: list[Http1] = []
        self._left: list[bytes] = []
        for path, body in bodies:
            connection = wire.http1()
            connection.send(
                f"POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            self.connections.append(connection)
            self._left.append(body)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)
        self._thread.start()

    def _drip(self) -> None:
        while not self._stop.wait(0.1):
            for number, connection in enumerate(self.connections):
                if len(self._left[number]) > 1:
                    connection.send(self._left[number][:1])
                    self._left[number] = self._left[number][1:]

    def finish(self) -> list[Any]:
        """Send the rest of all bodies; return the answers."""
        self._stop.set()
        self._thread.join()
        for connection, left in zip(self.connections, self._left, strict=True):
            connection.send(left)
        return [connection.answer() for connection in self.connections]


def test_slow_uploads_do_not_occupy_the_processor(
    wire: Wire, agents: Agents, say: Say, gauges: Callable[..., dict[str, int]]
) -> None:
    paths = [PATHS[number % 3] for number in range(UPLOADS)]
    uploads = Uploads(wire, [(path, say(path, padding="x" * 2000)) for path in paths])
    wait_until(lambda: gauges(REQUESTS)[REQUESTS] == UPLOADS)
    for number in range(20):
        assert gauges(REQUESTS, STREAMS) == {REQUESTS: UPLOADS, STREAMS: 0}
        assert wire.request(body=say()).agent == "flight_agent"
        assert len(agents.saw()) == number + 1
    answers = uploads.finish()
    assert [answer.agent for answer in answers] == ["flight_agent"] * UPLOADS
    assert gauges(REQUESTS, STREAMS) == {REQUESTS: 0, STREAMS: 0}


@pytest.mark.parametrize(
    "request_",
    [
        ("POST", "/", 404),
        ("POST", "/v1/embeddings", 404),
        ("GET", CHAT, 405),
        ("PUT", "/v1/messages", 405),
        ("POST", "/v1/models", 405),
        ("POST", "/healthz", 404),
    ],
)
def test_what_the_headers_rule_out_is_answered_before_the_body_comes(
    wire: Wire,
    agents: Agents,
    gauges: Callable[..., dict[str, int]],
    request_: tuple[str, str, int],
) -> None:
    method, path, status = request_
    for framing in ("content-length: 1000000", "transfer-encoding: chunked"):
        connection = wire.http1()
        connection.send(f"{method} {path} HTTP/1.1\r\nhost: t\r\n{framing}\r\n\r\n")
        answer = connection.answer()
        assert answer is not None
        assert answer.status == status
    stream = wire.http2()
    number = stream.request_headers(method, path)
    answer = stream.answer(number)
    assert answer is not None
    assert answer.status == status
    wait_until(lambda: gauges(STREAMS)[STREAMS] == 0)
    assert agents.saw() == []


@pytest.mark.parametrize("path", PATHS)
def test_clients_that_leave_in_the_middle_of_the_body(
    wire: Wire, agents: Agents, say: Say, gauges: Callable[..., dict[str, int]], path: str
) -> None:
    for headers in ("", "content-encoding: gzip\r\n"):
        for _ in range(50):
            connection = wire.http1()
            connection.send(f"POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: 1000\r\n{headers}")
            connection.send("\r\n", say()[:20])
            connection.close()
    wait_until(lambda: gauges(REQUESTS, STREAMS) == {REQUESTS: 0, STREAMS: 0})
    assert wire.request("POST", path, (), say(path)).agent == "flight_agent"
    assert len(agents.saw()) == 1


def test_clients_that_leave_after_the_body(
    wire: Wire, say: Say, gauges: Callable[..., dict[str, int]]
) -> None:
    for _ in range(100):
        connection = wire.http1()
        connection.send(f"POST {CHAT} HTTP/1.1\r\nhost: t\r\ncontent-length: {len(say())}\r\n\r\n")
        connection.send(say())
        connection.close()
    wait_until(lambda: gauges(REQUESTS, STREAMS) == {REQUESTS: 0, STREAMS: 0})
    assert wire.request(body=say()).agent == "flight_agent"


def test_a_half_closed_connection_ends_cleanly(
    wire: Wire, agents: Agents, say: Say, gauges: Callable[..., dict[str, int]]
) -> None:
    for sent in (say(), say()[:20], b""):
        connection = wire.http1()
        connection.send(f"POST {CHAT} HTTP/1.1\r\nhost: t\r\ncontent-length: {len(say())}\r\n\r\n")
        connection.send(sent)
        connection.half_close()
        answer = connection.answer()
        assert answer is None or answer.agent == "flight_agent" or 400 <= answer.status < 500
        assert connection.closed()
    wait_until(lambda: gauges(REQUESTS, STREAMS) == {REQUESTS: 0, STREAMS: 0})
    assert all(seen.body == say() for seen in agents.saw())


def test_idle_connections_take_nothing_from_others(wire: Wire, agents: Agents, say: Say) -> None:
    idle = [wire.http1() for _ in range(300)]
    for connection in idle[:100]:
        connection.send("POST /v1/chat/comp")
    for connection in idle[100:200]:
        connection.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    for _ in range(20):
        assert wire.request(body=say()).agent == "flight_agent"
    rest = f"letions HTTP/1.1\r\nhost: t\r\ncontent-length: {len(say())}\r\n\r\n"
    for connection in idle[:100]:
        connection.send(rest, say())
    answers = [connection.answer() for connection in idle[:100]]
    assert [answer and answer.agent for answer in answers] == ["flight_agent"] * 100
    assert len(agents.saw()) == 120


def test_requests_sent_ahead_are_answered_in_order(wire: Wire, agents: Agents, say: Say) -> None:
    names = ("weather_agent", "flight_agent", "hotel_agent")
    bodies = [say(model=name) for name in names]
    listing = b"GET /v1/models HTTP/1.1\r\nhost: t\r\n\r\n"
    posts = [
        b"POST %s HTTP/1.1\r\nhost: t\r\ncontent-length: %d\r\n\r\n%s"
        % (CHAT.encode(), len(body), body)
        for body in bodies
    ]
    connection = wire.http1()
    everything = b"".join(listing + post for post in posts) * 300
    sender = threading.Thread(target=connection.send, args=(everything,), daemon=True)
    sender.start()
    for name in names * 300:
        models, answer = connection.answer(), connection.answer()
        assert models is not None
        assert "data" in models.json
        assert answer is not None
        assert answer.agent == name
    sender.join()
    assert len(agents.saw()) == 900


def test_10000_requests_without_reading_an_answer(wire: Wire, agents: Agents, say: Say) -> None:
    """Envoy ends a connection that has answers pile up; nobody else notices."""
    connection = wire.http1()
    connection.send(b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n" * 10_000)
    answers = list(iter(connection.answer, None))
    assert len(answers) < 10_000
    assert {answer.status for answer in answers} <= {200}
    assert wire.request(body=say()).agent == "flight_agent"
    assert len(agents.saw()) == 1


@pytest.fixture(scope="module")
def hasty(run_module_stack: Callable[[str], Stack], travel_yaml: Callable[..., str]) -> Stack:
    return run_module_stack(
        travel_yaml(more="limits: {request_timeout: 2s, request_headers_timeout: 1s}")
    )


@contextlib.contextmanager
def dripping(connection: Http1) -> Iterator[None]:
    """Send a byte of a header again and again, so that the connection is never idle."""
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.1):
            connection.send("a")

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.parametrize("begun", ["POST ", f"POST {CHAT} HTTP/1.1\r\nhost: t\r\nx-slow: "])
def test_headers_that_do_not_come_to_an_end(
    hasty: Stack, connect: Callable[[Stack], Wire], agents: Agents, begun: str
) -> None:
    connection = connect(hasty).http1()
    connection.send(begun)
    with dripping(connection):
        answer = connection.answer()
    assert answer is None or answer.refuses(408, "request_timeout")
    assert agents.saw() == []


@pytest.mark.parametrize("path", PATHS)
def test_a_length_too_large_is_a_body_that_does_not_come(
    hasty: Stack, connect: Callable[[Stack], Wire], agents: Agents, say: Say, path: str
) -> None:
    wire = connect(hasty)
    framings = {
        f"content-length: {len(say(path)) + 1}": say(path),
        "transfer-encoding: chunked": b"%x\r\n%s\r\n" % (len(say(path)), say(path)),
        "Transfer-Encoding: Chunked": b"ffffffffffffffff\r\n" + say(path),
    }
    connections = []
    for framing, body in framings.items():
        connections.append(wire.http1())
        connections[-1].send(f"POST {path} HTTP/1.1\r\nhost: t\r\n{framing}\r\n\r\n", body)
    for connection in connections:
        answer = connection.answer()
        assert answer is not None
        assert answer.refuses(408, "request_timeout", path)
    assert agents.saw() == []


def test_a_body_that_does_not_come_over_http2(
    hasty: Stack, connect: Callable[[Stack], Wire], agents: Agents, say: Say
) -> None:
    connection = connect(hasty).http2()
    stalled = connection.request_headers("POST", CHAT)
    connection.data(stalled, say())
    empty = connection.request_headers("POST", "/v1/messages")
    whole = connection.request_headers("POST", CHAT)
    connection.data(whole, say(), end=True)
    for stream, path in ((stalled, CHAT), (empty, "/v1/messages")):
        answer = connection.answer(stream)
        assert answer is not None
        assert answer.refuses(408, "request_timeout", path)
    answer = connection.answer(whole)
    assert answer is not None
    assert answer.agent == "flight_agent"
    assert len(agents.saw()) == 1


def test_a_slow_agent_is_not_a_slow_client(
    hasty: Stack, connect: Callable[[Stack], Wire], say: Say
) -> None:
    answer = connect(hasty).request(headers=("x-test-delay: 3",), body=say())
    assert answer.agent == "flight_agent"
