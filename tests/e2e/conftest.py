"""A real stack for tests: `outerloop up` with the real Envoy, and echo agents in own processes."""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import httpx
import pytest

SUPPORT = Path(__file__).parents[1] / "support"
EXAMPLES = Path(__file__).parents[2] / "examples"
START_TIMEOUT = 40.0
OUTERLOOP = (str(Path(sys.executable).parent / "outerloop"),)


@dataclass(frozen=True)
class Seen:
    """One request as an agent got it."""

    agent: str
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None


def read_seen(record: dict[str, Any]) -> Seen:
    return Seen(
        record["agent"],
        record["method"],
        record["target"],
        [(name, value) for name, value in record["headers"]],
        base64.b64decode(record["body"]),
    )


@dataclass(frozen=True)
class Answer:
    """A response as it came over the wire; of HTTP/1.1 the body keeps its chunks."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None


class Lines:
    """The lines of a stream, read as they come, so that no process waits for its reader."""

    def __init__(self, stream: Any) -> None:
        self.lines: list[str] = []
        self._stream = stream
        self._begun = b""
        self._ended = False
        self._reading = threading.Lock()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _poll(self) -> select.poll:
        """Return one for a thread of its own."""
        poll = select.poll()
        poll.register(self._stream, select.POLLIN)
        return poll

    def _read(self) -> None:
        poll = self._poll()
        while not self._ended:
            if not poll.poll(200):
                continue
            with self._reading:
                if not self._ended:
                    self._take(os.read(self._stream.fileno(), 2**16))

    def _take(self, data: bytes) -> None:
        self._ended = not data
        # The end of the stream ends its last line.
        *whole, self._begun = (self._begun + (data or b"\n" * bool(self._begun))).split(b"\n")
        self.lines += [line.decode(errors="replace") for line in whole]

    def until_now(self) -> list[str]:
        """Return all lines that were written before this was asked."""
        while True:
            with self._reading:
                if self._ended or not self._poll().poll(0):
                    return list(self.lines)
            time.sleep(0.001)

    def close(self) -> None:
        self._thread.join(5)
        with self._reading:
            self._ended = True
            self._stream.close()


class Process:
    """A child process of the test, whose output is kept."""

    def __init__(
        self, *argv: str, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.popen = subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
        self.out = Lines(self.popen.stdout)
        self.err = Lines(self.popen.stderr)

    def wait_line(self, wanted: Callable[[str], bool], timeout: float = START_TIMEOUT) -> str:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for line in list(self.out.lines):
                if wanted(line):
                    return line
            if self.popen.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"exit {self.popen.poll()}\n{self.output}")

    @property
    def output(self) -> str:
        return "\n".join((*self.out.until_now(), "--- stderr", *self.err.until_now()))

    def stop(self, number: int = signal.SIGTERM, timeout: float = 60.0) -> int:
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            code = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise
        finally:
            self.out.close()
            self.err.close()
        return code


class EchoAgent(Process):
    """`tests/support/echo_agent.py` on a free port."""

    def __init__(self, name: str) -> None:
        super().__init__(sys.executable, str(SUPPORT / "echo_agent.py"), name)
        self.name = name
        self.port = int(self.wait_line(str.isdigit))
        self.url = f"http://127.0.0.1:{self.port}"

    def requests(self) -> list[Seen]:
        with urllib.request.urlopen(f"{self.url}/requests", timeout=10) as response:
            return [read_seen(record) for record in json.load(response)]

    def running(self) -> list[str]:
        """Return the x-request-id of each request that is being answered."""
        with urllib.request.urlopen(f"{self.url}/running", timeout=10) as response:
            return list(json.load(response))

    def release(self, request_id: str) -> None:
        """Let a request with `x-test-hold` go on."""
        urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/release/{request_id}", method="POST"), timeout=10
        ).close()

    def forget(self) -> None:
        urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/requests", method="DELETE"), timeout=10
        ).close()


class ScriptedServer(Process):
    """A server of `tests/support` on a free port, which behaves as it was last told."""

    def __init__(self, script: str, **defaults: Any) -> None:
        super().__init__(sys.executable, str(SUPPORT / script))
        self.url = f"http://127.0.0.1:{int(self.wait_line(str.isdigit))}"
        self._defaults = defaults
        self._client = httpx.Client(base_url=self.url, verify=False)

    def script(self, mode: str, **options: Any) -> None:
        body = {"mode": mode, **self._defaults, **options}
        self._client.post("/mode", json=body).raise_for_status()

    def requests(self) -> list[dict[str, Any]]:
        """Return what the server was sent since the last time."""
        seen: list[dict[str, Any]] = self._client.get("/requests").json()
        self._client.delete("/requests")
        return seen

    def stop(self, number: int = signal.SIGTERM, timeout: float = 60.0) -> int:
        self._client.close()
        return super().stop(number, timeout)


@dataclass
class Stack:
    """A running `outerloop up`."""

    process: Process
    listeners: dict[str, str] = field(default_factory=dict)
    admin: str = ""

    @property
    def url(self) -> str:
        """Of the only (or first) listener."""
        return next(iter(self.listeners.values()))

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def ready(self) -> dict[str, Any]:
        """What `/readyz` says, whatever its status."""
        try:
            with urllib.request.urlopen(f"{self.admin}/readyz", timeout=10) as response:
                return dict(json.load(response))
        except urllib.error.HTTPError as error:
            return dict(json.load(error))

    def access_log(self, request_id: str, timeout: float = 15.0) -> dict[str, Any]:
        """Return the access-log line of one request, waiting for Envoy to write it."""
        line = self.process.wait_line(lambda line: f'"{request_id}"' in line, timeout)
        return dict(json.loads(line))


def start(file: Path, *options: str, env: dict[str, str] | None = None) -> Stack:
    """Run `outerloop up` on a file (its ports should be 0) and wait until it is ready."""
    process = Process(
        *OUTERLOOP, "up", "-c", str(file), "--admin", "127.0.0.1:0", *options, env=env
    )
    stack = Stack(process)
    try:
        stack.admin = process.wait_line(lambda line: line.startswith("admin ")).split()[-1]
    except AssertionError:
        process.stop()
        raise
    for line in process.out.lines:
        if line.startswith("listener "):
            _, name, url = line.split()[:3]
            stack.listeners[name] = url
    return stack


@pytest.fixture(scope="session")
def seen() -> Callable[[dict[str, Any]], Seen]:
    """Read what an echo agent's answer says that it was sent."""
    return read_seen


@pytest.fixture(scope="session")
def free_ports() -> Callable[[int], list[int]]:
    """Find different ports that nobody listens on right now."""

    def find(count: int) -> list[int]:
        with ExitStack() as probes:
            sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            return [int(each.getsockname()[1]) for each in sockets]

    return find


@pytest.fixture
def free_port(free_ports: Callable[[int], list[int]]) -> int:
    """Return a port that nobody listens on right now."""
    return free_ports(1)[0]


@pytest.fixture(scope="session")
def start_process() -> type[Process]:
    """Start a process whose output is kept; the caller stops it."""
    return Process


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """An HTTP/1.1 client that is quick to make: there is no TLS here."""
    with httpx.Client(timeout=60, verify=False) as client:
        yield client


ANTHROPIC = "/v1/messages"
ERROR_TYPES = {
    # status: (OpenAI's word, Anthropic's word)
    404: ("invalid_request_error", "not_found_error"),
    413: ("invalid_request_error", "request_too_large"),
    500: ("server_error", "api_error"),
    502: ("server_error", "api_error"),
    503: ("service_unavailable_error", "api_error"),
    504: ("server_error", "timeout_error"),
    508: ("server_error", "api_error"),
}
LEAKS = ("Traceback", "extproc", ".py", "upstream connect", "delayed connect", "/tmp", "{{", "%")


def check_error(
    answer: httpx.Response | Answer, path: str, status: int, code: str, *, request_id: bool = True
) -> dict[str, Any]:
    """Hold an answer to the contract's shape of errors; return its error object.

    What is not even a request has no `request_id`.
    """
    if isinstance(answer, httpx.Response):
        answer = Answer(answer.status_code, answer.headers.multi_items(), answer.content)
    assert (answer.status, answer.all("x-outerloop-error")) == (status, [code]), answer
    assert answer.all("content-type") == ["application/json"]
    assert answer.all("content-length") == [str(len(answer.body))]
    assert len(answer.all("x-request-id")) == request_id
    document = json.loads(answer.body)
    error: dict[str, Any] = document.pop("error")
    openai, anthropic = ERROR_TYPES.get(status, ("invalid_request_error",) * 2)
    if path.startswith(ANTHROPIC):
        assert document == {"type": "error"}
        assert "param" not in error
        assert error["type"] == anthropic
    else:
        assert document == {}
        assert error["param"] is None
        assert error["type"] == openai
    assert error["code"] == code
    assert error["message"]
    assert not [leak for leak in LEAKS if leak in answer.body.decode()], answer
    return error


@pytest.fixture(scope="session")
def refused() -> Callable[..., dict[str, Any]]:
    """Hold an answer to the contract's shape of errors; return its error object."""
    return check_error


def read_http1(connection: socket.socket) -> Answer:
    """Read one answer up to the end of the connection."""
    data = b""
    # Who is still being sent a body ends the connection hard once it has answered.
    with suppress(ConnectionResetError):
        while received := connection.recv(2**16):
            data += received
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return Answer(int(first.split()[1]), [(key.lower(), value) for key, _, value in pairs], body)


@pytest.fixture(scope="session")
def http1() -> Callable[[int, bytes], Answer]:
    """Send bytes to a port of this machine, read until the other side closes."""

    def send(port: int, request: bytes) -> Answer:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(request)
            return read_http1(connection)

    return send


Fields = list[tuple[str, str]]


@pytest.fixture(scope="session")
def http2() -> Callable[..., Answer]:
    """Send one HTTP/2 request with prior knowledge; the body must fit the initial window."""

    def send(
        port: int, headers: Fields, body: bytes = b"", trailers: Fields | None = None
    ) -> Answer:
        config = h2.config.H2Configuration(client_side=True, header_encoding="latin-1")
        protocol = h2.connection.H2Connection(config)
        protocol.initiate_connection()
        protocol.send_headers(1, headers)
        protocol.send_data(1, body, end_stream=trailers is None)
        if trailers is not None:
            protocol.send_headers(1, trailers, end_stream=True)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            return _read_http2(protocol, connection)

    return send


def _read_http2(protocol: h2.connection.H2Connection, connection: socket.socket) -> Answer:
    heads: dict[type, Fields] = {}
    body = b""
    while True:
        connection.sendall(protocol.data_to_send())
        received = connection.recv(2**16)
        assert received, "the connection ended before the answer did"
        for event in protocol.receive_data(received):
            if isinstance(event, h2.events.DataReceived):
                body += event.data
                protocol.acknowledge_received_data(event.flow_controlled_length, 1)
            elif isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                heads[type(event)] = [(str(key), str(value)) for key, value in event.headers]
            elif isinstance(event, h2.events.StreamEnded):
                (_, status), *headers = heads[h2.events.ResponseReceived]
                trailers = heads.get(h2.events.TrailersReceived, [])
                return Answer(int(status), headers, body, trailers)
            assert not isinstance(event, h2.events.StreamReset), event


@pytest.fixture(scope="module")
def scripted_server() -> Iterator[Callable[..., ScriptedServer]]:
    """Start servers for all tests of a module: a file's name, and what is always told them."""
    with ExitStack() as servers:

        def run(script: str, **defaults: Any) -> ScriptedServer:
            server = ScriptedServer(script, **defaults)
            servers.callback(server.stop)
            return server

        yield run


@pytest.fixture(scope="session")
def echo_agents() -> Iterator[dict[str, EchoAgent]]:
    """Three echo agents: weather_agent, flight_agent, hotel_agent."""
    agents = {name: EchoAgent(name) for name in ("weather_agent", "flight_agent", "hotel_agent")}
    yield agents
    for agent in agents.values():
        agent.stop()


@pytest.fixture(scope="session")
def start_echo_agent() -> Iterator[Callable[[str], EchoAgent]]:
    """Start further ones; they are stopped with the session."""
    agents: list[EchoAgent] = []

    def make(name: str) -> EchoAgent:
        agents.append(EchoAgent(name))
        return agents[-1]

    yield make
    for agent in agents:
        agent.stop()


TRAVEL = """
version: v1
agents:
  - {{id: weather_agent, url: {weather}}}
  - {{id: flight_agent, url: {flight}}}
  - {{id: hotel_agent, url: {hotel}}}
listeners:
  - type: agent
    name: travel
    port: 0
    {listener}
    agents:
      - {{id: weather_agent, description: Weather forecasts for any city., default: true}}
      - {{id: flight_agent, description: Finds and books flights.}}
      - {{id: hotel_agent, description: Finds and books hotels.}}
{more}
"""


@pytest.fixture(scope="session")
def agency(
    sample_agents: Callable[[float], AbstractContextManager[dict[str, str]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """The travel example with its own agents, on free ports, for the whole session."""
    with sample_agents(0) as urls:
        yaml = (EXAMPLES / "travel/outerloop.yaml").read_text().replace("port: 8001", "port: 0")
        for standard, url in zip(("10510", "10520", "10530"), urls.values(), strict=True):
            yaml = yaml.replace(f"http://127.0.0.1:{standard}", url)
        file = tmp_path_factory.mktemp("agency") / "outerloop.yaml"
        file.write_text(yaml)
        stack = start(file)
        yield stack
        assert stack.process.stop() == 0, stack.process.output


@pytest.fixture(scope="session")
def travel_yaml(echo_agents: dict[str, EchoAgent]) -> Callable[..., str]:
    """Return the YAML of the three echo agents; `listener` and `more` add lines to it."""

    def make(listener: str = "", more: str = "") -> str:
        return TRAVEL.format(
            weather=echo_agents["weather_agent"].url,
            flight=echo_agents["flight_agent"].url,
            hotel=echo_agents["hotel_agent"].url,
            listener=listener,
            more=more,
        )

    return make


@pytest.fixture(scope="session")
def travel(
    travel_yaml: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """One stack for the whole session; tests must leave it as it was."""
    file = tmp_path_factory.mktemp("travel") / "outerloop.yaml"
    file.write_text(travel_yaml(more="observability: {response_headers: full}"))
    stack = start(file)
    yield stack
    assert stack.process.stop() == 0, stack.process.output


def _stacks(folder: Path) -> Iterator[Callable[..., Stack]]:
    stacks: list[Stack] = []

    def run(yaml: str, *options: str, env: dict[str, str] | None = None) -> Stack:
        file = folder / f"outerloop-{len(stacks)}.yaml"
        file.write_text(yaml)
        stacks.append(start(file, *options, env=env))
        return stacks[-1]

    yield run
    for stack in stacks:
        stack.process.stop()


@pytest.fixture
def run_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Start stacks of a test's own; they are stopped after it."""
    yield from _stacks(tmp_path)


@pytest.fixture(scope="module")
def run_module_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Stack]]:
    """Start stacks for all tests of a module; they are stopped after the last."""
    yield from _stacks(tmp_path_factory.mktemp("stacks"))


@pytest.fixture(scope="session")
def session_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Stack]]:
    """Start stacks for the whole session; they are stopped after it."""
    yield from _stacks(tmp_path_factory.mktemp("session"))
