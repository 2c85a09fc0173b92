"""Clients that say what no library would: HTTP/1.1 as bytes, HTTP/2 frame by frame."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import h2.config
import h2.connection
import h2.events
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Seen, Stack

DEADLINE: Final = 60.0
"""Seconds until a test gives up: far above what any answer takes on a busy machine."""

ANTHROPIC: Final = "/v1/messages"
MOST_MEMORY: Final = 400 * 2**20
"""What a process may hold after a module: some 90 MB at rest, 170 MB after bodies of 32 MiB."""

FRAME_HEADER: Final = 9
GOAWAY: Final = 7


@dataclass(frozen=True)
class Answer:
    """One response. `headers` are in lower case and may repeat."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def agent(self) -> str | None:
        """The echo agent that answered."""
        return None if self.status != 200 else str(self.json["agent"])

    def refuses(self, status: int, code: str, path: str = "") -> bool:
        """Check that this is our own error of that status and code, in the path's API."""
        assert (self.status, self.header("x-outerloop-error")) == (status, code), self
        assert self.header("content-type") == "application/json", self
        document = self.json
        error = document.pop("error")
        anthropic = path.startswith(ANTHROPIC)
        assert document == ({"type": "error"} if anthropic else {}), self
        assert error["code"] == code, self
        assert isinstance(error["message"], str), self
        assert error["message"], self
        assert isinstance(error["type"], str), self
        assert ("param" in error) is not anthropic, self
        assert "Traceback" not in error["message"], self
        return True


class Http1:
    """A connection whose requests are written by hand."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self._file = self.socket.makefile("rb")

    def send(self, *parts: bytes | str) -> None:
        """Send bytes; a peer that has hung up by then is not this side's fault."""
        for part in parts:
            try:
                self.socket.sendall(part.encode("latin-1") if isinstance(part, str) else part)
            except (BrokenPipeError, ConnectionResetError):
                return

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def line(self) -> bytes:
        return self._file.readline()

    def answer(self, *, head: bool = False) -> Answer | None:
        """Read one response (to a HEAD request: without body); None when the connection is over."""
        try:
            return self._answer(head=head)
        except ConnectionResetError:
            return None

    def _answer(self, *, head: bool) -> Answer | None:
        line = self._file.readline()
        if not line:
            return None
        status = int(line.split()[1])
        headers = list(iter(self._field, None))
        if status == 100:
            return self._answer(head=head)
        known = dict(headers)
        if head or status in {204, 304}:
            body = b""
        elif "chunked" in known.get("transfer-encoding", ""):
            body = b"".join(iter(self._chunk, b""))
        elif "content-length" in known:
            body = self._file.read(int(known["content-length"]))
        else:
            body = self._file.read()
        return Answer(status, headers, body)

    def _field(self) -> tuple[str, str] | None:
        line = self._file.readline().rstrip(b"\r\n").decode("latin-1")
        name, _, value = line.partition(":")
        return (name.lower(), value.strip()) if line else None

    def _chunk(self) -> bytes:
        data = self._file.read(int(self._file.readline(), 16))
        end = self._file.readline()
        while not data and end.strip():
            end = self._file.readline()
        return data

    def closed(self) -> bool:
        """Wait for the peer to close; anything it still says would be an answer too many."""
        try:
            return self._file.read() == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@dataclass
class _Stream:
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    reset: int | None = None
    over: bool = False


class Http2:
    """A connection with prior knowledge whose frames are chosen by hand."""

    def __init__(self, port: int) -> None:
        config = h2.config.H2Configuration(
            header_encoding="latin-1",
            normalize_outbound_headers=False,
            validate_outbound_headers=False,
            normalize_inbound_headers=False,
        )
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self.h2 = h2.connection.H2Connection(config)
        self.gone = False
        self._unread = b""
        self._streams: dict[int, _Stream] = {}
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        try:
            self.socket.sendall(self.h2.data_to_send())
        except (BrokenPipeError, ConnectionResetError):
            self.gone = True

    def request_headers(
        self, method: str, target: str, *more: tuple[str, str], end: bool = False
    ) -> int:
        """Begin a request; return its stream."""
        pseudo = {":method": method, ":scheme": "http", ":authority": "test", ":path": target}
        return self.headers([*pseudo.items(), *more], end=end)

    def headers(self, fields: list[tuple[str, str]], *, end: bool = False) -> int:
        """Begin a stream by any fields at all."""
        stream = self.h2.get_next_available_stream_id()
        self._streams[stream] = _Stream()
        self.h2.send_headers(stream, fields, end_stream=end)
        self.flush()
        return int(stream)

    def data(self, stream: int, body: bytes, *, end: bool = False) -> None:
        """Send a body within the peer's windows; stop where the peer ended the stream."""
        view = memoryview(body)
        while view and not self._streams[stream].over:
            window = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if window:
                self.h2.send_data(stream, bytes(view[:window]))
                view = view[window:]
                self.flush()
            else:
                self._receive()
        if end and not self._streams[stream].over:
            self.h2.send_data(stream, b"", end_stream=True)
            self.flush()

    def trailers(self, stream: int, fields: list[tuple[str, str]]) -> None:
        self.h2.send_headers(stream, fields, end_stream=True)
        self.flush()

    def reset(self, stream: int) -> None:
        self.h2.reset_stream(stream)
        self.flush()

    def answer(self, stream: int) -> Answer | None:
        """Read the response of a stream; None when it or the connection was reset without one."""
        state = self._streams[stream]
        while not state.over and not self.gone:
            self._receive()
        if not state.headers:
            return None
        (_, status), *headers = state.headers
        return Answer(int(status), headers, bytes(state.body))

    def _receive(self) -> None:
        try:
            data = self.socket.recv(2**16)
        except ConnectionResetError:
            data = b""
        if not data:
            self.gone = True
            for state in self._streams.values():
                state.over = True
            return
        for frame in self._frames(data):
            for event in self.h2.receive_data(frame):
                self._take(event)
        self.flush()

    def _frames(self, data: bytes) -> Iterator[bytes]:
        """Split off whole frames, without GOAWAY: after one, h2 reads no further answers."""
        self._unread += data
        while len(self._unread) >= FRAME_HEADER:
            size = FRAME_HEADER + int.from_bytes(self._unread[:3])
            if len(self._unread) < size:
                return
            frame, self._unread = self._unread[:size], self._unread[size:]
            if frame[3] != GOAWAY:
                yield frame

    def _take(self, event: h2.events.Event) -> None:
        state = self._streams.get(getattr(event, "stream_id", None) or 0)
        if state is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            state.headers = [(str(name), str(value)) for name, value in event.headers]
        elif isinstance(event, h2.events.DataReceived):
            state.body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            state.reset, state.over = int(event.error_code), True
        elif isinstance(event, h2.events.StreamEnded):
            state.over = True

    def close(self) -> None:
        self.socket.close()


class Wire:
    """Talks to one listener as bytes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._open: list[Http1 | Http2] = []

    def http1(self) -> Http1:
        connection = Http1(self.port)
        self._open.append(connection)
        return connection

    def http2(self) -> Http2:
        connection = Http2(self.port)
        self._open.append(connection)
        return connection

    def request(
        self,
        method: str = "POST",
        target: str = "/v1/chat/completions",
        headers: tuple[str, ...] = (),
        body: bytes | None = None,
    ) -> Answer:
        """Send one HTTP/1.1 request on a new connection, header lines as they are given."""
        connection = self.http1()
        length = () if body is None else (f"content-length: {len(body)}",)
        lines = (f"{method} {target} HTTP/1.1", "host: test", *length, *headers, "", "")
        connection.send("\r\n".join(lines), body or b"")
        answer = connection.answer(head=method == "HEAD")
        assert answer is not None, "no answer"
        connection.close()
        return answer

    def h2_request(
        self,
        body: bytes | None,
        headers: tuple[tuple[str, str], ...] = (),
        method: str = "POST",
        target: str = "/v1/chat/completions",
    ) -> Answer | None:
        """Send one HTTP/2 request on a new connection; no body ends it with the headers."""
        connection = self.http2()
        stream = connection.request_headers(method, target, *headers, end=body is None)
        if body is not None:
            connection.data(stream, body, end=True)
        answer = connection.answer(stream)
        connection.close()
        return answer

    def close(self) -> None:
        for connection in self._open:
            connection.close()


class Agents:
    """What the echo agents saw since the test began."""

    def __init__(self, agents: dict[str, EchoAgent]) -> None:
        self._agents = agents.values()
        for agent in self._agents:
            agent.forget()

    def saw(self) -> list[Seen]:
        return [request for agent in self._agents for request in agent.requests()]


@pytest.fixture
def agents(echo_agents: dict[str, EchoAgent]) -> Agents:
    return Agents(echo_agents)


@pytest.fixture
def connect() -> Iterator[Callable[[Stack | str], Wire]]:
    """Return a function from a stack, or a listener's URL, to its `Wire`, closed after the test."""
    wires: list[Wire] = []

    def to(target: Stack | str) -> Wire:
        url = target if isinstance(target, str) else target.url
        wires.append(Wire(int(url.rpartition(":")[2])))
        return wires[-1]

    yield to
    for wire in wires:
        wire.close()


@pytest.fixture
def wire(connect: Callable[[Stack], Wire], travel: Stack) -> Wire:
    """Talk to the listener of `travel`."""
    return connect(travel)


@pytest.fixture(scope="session")
def say() -> Callable[..., bytes]:
    """Return a function that makes a body that goes to the flight agent, in any of the APIs.

    Its arguments are further members, as Python values.
    """

    def body(path: str = "/v1/chat/completions", **members: Any) -> bytes:
        turn = [{"role": "user", "content": "hello"}]
        name = "input" if path == "/v1/responses" else "messages"
        return json.dumps({"model": "flight_agent", name: turn, **members}).encode()

    return body


def _processes(stack: Stack) -> list[int]:
    ready = stack.ready()
    assert ready["status"] == "ready", ready
    return [ready["envoy"]["pid"], *(worker["pid"] for worker in ready["workers"])]


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


@pytest.fixture(scope="module", autouse=True)
def unharmed(travel: Stack) -> Iterator[None]:
    """After each module: the same processes serve, without a bug of ours, in bounded memory."""
    before = _processes(travel)
    yield
    assert _processes(travel) == before, travel.process.output
    assert "internal error" not in travel.process.output
    assert "Traceback" not in travel.process.output
    for pid in before:
        assert _resident(pid) < MOST_MEMORY
