"""Request trailers as they reach an agent: over HTTP/2, as to HTTP/1.1 agents they do not go."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack
    from tests.e2e.hostile.conftest import Wire

    Say = Callable[..., bytes]

CHAT = "/v1/chat/completions"
SPOOFS = ("x-outerloop-agent", "x-outerloop_plan", "x_outerloop_listener", "x-envoy-retry-on")
STACK = """
version: v1
agents: [{{id: flight_agent, url: {url}, http2: true}}]
listeners: [{{type: agent, name: main, port: 0, agents: [{{id: flight_agent}}]}}]
"""


class Http2Agent:
    """Answers every request with 200 and keeps its headers and its trailers."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.headers: list[tuple[str, str]] = []
        self.trailers: list[tuple[str, str]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        protocol = h2.connection.H2Connection(config)
        protocol.initiate_connection()
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(2**16):
                for event in protocol.receive_data(data):
                    self._take(protocol, event)
                connection.sendall(protocol.data_to_send())

    def _take(self, protocol: h2.connection.H2Connection, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self.headers = [(str(name), str(value)) for name, value in event.headers]
        elif isinstance(event, h2.events.TrailersReceived):
            self.trailers = [(str(name), str(value)) for name, value in event.headers]
        elif isinstance(event, h2.events.StreamEnded):
            protocol.send_headers(event.stream_id, [(":status", "200")], end_stream=True)

    def close(self) -> None:
        self._server.close()


@pytest.fixture(scope="module")
def agent() -> Iterator[Http2Agent]:
    agent = Http2Agent()
    yield agent
    agent.close()


@pytest.fixture(scope="module")
def stack(agent: Http2Agent, run_module_stack: Callable[[str], Stack]) -> Stack:
    return run_module_stack(STACK.format(url=agent.url))


def test_trailers_arrive_but_for_copies_of_ours_over_http1(
    stack: Stack, agent: Http2Agent, connect: Callable[[Stack], Wire], say: Say
) -> None:
    connection = connect(stack).http1()
    lines = "".join(f"{name.title()}: hotel_agent\r\n" for name in (*SPOOFS, "x-checksum"))
    connection.send(f"POST {CHAT} HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n")
    connection.send(f"{len(say()):x}\r\n", say(), f"\r\n0\r\n{lines}\r\n")
    answer = connection.answer()
    assert answer is not None
    assert answer.status == 200
    assert ("x-outerloop-agent", "flight_agent") in agent.headers
    assert agent.trailers == [("x-checksum", "hotel_agent")]


def test_trailers_arrive_but_for_copies_of_ours_over_http2(
    stack: Stack, agent: Http2Agent, connect: Callable[[Stack], Wire], say: Say
) -> None:
    connection = connect(stack).http2()
    stream = connection.request_headers("POST", CHAT)
    connection.data(stream, say())
    connection.trailers(stream, [(name, "hotel_agent") for name in (*SPOOFS, "x-checksum")])
    answer = connection.answer(stream)
    assert answer is not None
    assert answer.status == 200
    assert ("x-outerloop-agent", "flight_agent") in agent.headers
    assert agent.trailers == [("x-checksum", "hotel_agent")]
