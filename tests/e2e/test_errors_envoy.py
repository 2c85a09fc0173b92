"""Envoy's own answers, as a client of each API gets them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Answer, EchoAgent, Stack

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = [CHAT, MESSAGES, RESPONSES]
Refused = Callable[..., dict[str, Any]]
Http1 = Callable[[int, bytes], "Answer"]
DEADLINE = 30.0

AGENTS = """
version: v1
agents:
  - {{id: plain, url: {echo}}}
  - {{id: closed, url: {closed}}}
  - {{id: closed_prefix, url: {closed}/prefix}}
  - {{id: returning, url: {returning}}}
  - {{id: no_http, url: {no_http}}}
  - {{id: unknown_host, url: "http://unknown-host.invalid"}}
  - {{id: hurried, url: {echo}, timeout: 0.5s}}
  - {{id: one_at_a_time, url: {echo}, circuit_breaker: {{max_requests: 1}}}}
listeners:
  - name: main
    port: 0
    agents: [{{id: plain}}, {{id: closed}}, {{id: closed_prefix}}, {{id: returning}},
             {{id: no_http}}, {{id: unknown_host}}, {{id: hurried}}, {{id: one_at_a_time}}]
limits: {{max_request_bytes: 64KiB, request_timeout: 1s, request_headers_timeout: 1s}}
"""


@pytest.fixture(scope="module")
def closed() -> Iterator[socket.socket]:
    """A port that nobody listens on, and nobody else can take."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder


@pytest.fixture(scope="module")
def returning() -> Iterator[socket.socket]:
    """The same, for a test to listen on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder


@pytest.fixture(scope="module")
def no_http() -> Iterator[socket.socket]:
    """A port where something else than HTTP answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(2**16)
                    connection.sendall(b"220 mail.example ESMTP\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield server
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def stack(
    run_module_stack: Callable[..., Stack],
    echo_agents: dict[str, EchoAgent],
    closed: socket.socket,
    returning: socket.socket,
    no_http: socket.socket,
) -> Stack:
    sockets = {"closed": closed, "returning": returning, "no_http": no_http}
    urls = {name: f"http://127.0.0.1:{each.getsockname()[1]}" for name, each in sockets.items()}
    return run_module_stack(AGENTS.format(echo=echo_agents["hotel_agent"].url, **urls))


def conversation(path: str, agent: str) -> dict[str, Any]:
    member = "input" if path == RESPONSES else "messages"
    return {"model": agent, member: [{"role": "user", "content": "hello"}]}


@pytest.fixture
def ask(http: httpx.Client, stack: Stack) -> Callable[..., httpx.Response]:
    def post(path: str, agent: str, **headers: str) -> httpx.Response:
        wish = {name.replace("_", "-"): value for name, value in headers.items()}
        return http.post(stack.url + path, json=conversation(path, agent), headers=wish)

    return post


Ask = Callable[..., httpx.Response]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("agent", ["closed", "closed_prefix"])
def test_an_agent_that_cannot_be_reached(ask: Ask, refused: Refused, path: str, agent: str) -> None:
    answer = ask(path, agent)
    assert refused(answer, path, 503, "upstream_unreachable")["agent"] == agent
    assert answer.headers["x-outerloop-agent"] == agent


@pytest.mark.parametrize("path", PATHS)
def test_an_agent_that_breaks_off(ask: Ask, refused: Refused, path: str) -> None:
    answer = ask(path, "plain", x_test_abort="now")
    assert refused(answer, path, 503, "upstream_reset")["agent"] == "plain"


@pytest.mark.parametrize("path", PATHS)
def test_an_agent_that_speaks_no_http(ask: Ask, refused: Refused, path: str) -> None:
    assert refused(ask(path, "no_http"), path, 502, "bad_upstream")["agent"] == "no_http"


@pytest.mark.parametrize("path", PATHS)
def test_an_agent_whose_host_has_no_address(ask: Ask, refused: Refused, path: str) -> None:
    error = refused(ask(path, "unknown_host"), path, 503, "no_healthy_upstream")
    assert error["agent"] == "unknown_host"


@pytest.mark.parametrize("path", PATHS)
def test_an_agent_that_takes_too_long(ask: Ask, refused: Refused, path: str) -> None:
    answer = ask(path, "hurried", x_test_hold="now")
    assert refused(answer, path, 504, "upstream_timeout")["agent"] == "hurried"


def test_an_agent_that_comes_back_is_served_at_once(
    ask: Ask, refused: Refused, returning: socket.socket
) -> None:
    for _ in range(6):
        refused(ask(CHAT, "returning"), CHAT, 503, "upstream_unreachable")
    returning.listen()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, CHAT, "returning")
        connection, _ = returning.accept()
        with connection:
            connection.recv(2**16)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nback")
            assert answer.result(DEADLINE).content == b"back"


def test_an_agent_with_too_much_to_do(
    http: httpx.Client, stack: Stack, ask: Ask, refused: Refused, echo_agents: dict[str, EchoAgent]
) -> None:
    agent = echo_agents["hotel_agent"]
    hold = {"x-request-id": "busy", "x-test-hold": "now", "x-test-sse": "2,0"}
    body = conversation(CHAT, "one_at_a_time")
    with http.stream("POST", stack.url + CHAT, json=body, headers=hold):
        for path in PATHS:
            answer = ask(path, "one_at_a_time")
            assert refused(answer, path, 503, "overloaded")["agent"] == "one_at_a_time"
        agent.release("busy")
    assert ask(CHAT, "one_at_a_time").status_code == 200


def request(path: str, *fields: str, body: str = "") -> bytes:
    return "\r\n".join((f"POST {path} HTTP/1.1", *fields, "", body)).encode("latin-1")


def at_once(send: Callable[[str], Answer]) -> list[tuple[str, Answer]]:
    """Send to all paths together: each waits for a timeout."""
    with ThreadPoolExecutor() as pool:
        return list(zip(PATHS, pool.map(send, PATHS), strict=True))


def test_a_request_whose_body_never_comes(http1: Http1, stack: Stack, refused: Refused) -> None:
    def send(path: str) -> Answer:
        half = request(path, "host: x", "content-length: 100", body='{"messages": ')
        return http1(stack.port, half)

    for path, answer in at_once(send):
        refused(answer, path, 408, "request_timeout")


def test_a_request_whose_headers_never_end(http1: Http1, stack: Stack, refused: Refused) -> None:
    answer = http1(stack.port, b"POST /v1/messages HTTP/1.1\r\nhost: x\r\n")
    # Envoy has not read the path when it gives up.
    refused(answer, CHAT, 408, "request_timeout", request_id=False)


@pytest.mark.parametrize("path", PATHS)
def test_headers_that_are_too_large(
    http1: Http1, stack: Stack, refused: Refused, path: str
) -> None:
    answer = http1(stack.port, request(path, "host: x", f"x-large: {'a' * 100_000}"))
    # Envoy has not looked at the path when it refuses to read on.
    refused(answer, CHAT, 431, "headers_too_large", request_id=False)


GARBAGE = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "words": b"hello there\r\n\r\n",
    "no host": b"POST /v1/chat/completions HTTP/1.1\r\n\r\n",
    "no version": b"POST /v1/chat/completions\r\n\r\n",
    "a header without a colon": request(CHAT, "host: x", "nonsense"),
    "two lengths": request(CHAT, "host: x", "content-length: 1", "content-length: 2", body="ab"),
    "length and chunks": request(
        CHAT, "host: x", "content-length: 3", "transfer-encoding: chunked", body="0\r\n\r\n"
    ),
    "a length that is no number": request(CHAT, "host: x", "content-length: many", body="a"),
    "an encoding nobody knows": request(CHAT, "host: x", "transfer-encoding: magic", body="a"),
}


@pytest.mark.parametrize("sent", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_http(http1: Http1, stack: Stack, refused: Refused, sent: bytes) -> None:
    refused(http1(stack.port, sent), CHAT, 400, "bad_request", request_id=False)


def test_what_is_no_http_for_the_other_api(http1: Http1, stack: Stack, refused: Refused) -> None:
    sent = request(MESSAGES, "content-length: 0")
    refused(http1(stack.port, sent), MESSAGES, 400, "bad_request", request_id=False)


def test_a_body_over_the_limit_is_told_before_it_ends(
    http1: Http1, stack: Stack, refused: Refused
) -> None:
    def send(path: str) -> Answer:
        begun = f"20000\r\n{'a' * 2**17}"
        fields = ("host: x", "transfer-encoding: chunked")
        return http1(stack.port, request(path, *fields, body=begun))

    for path, answer in at_once(send):
        refused(answer, path, 413, "request_too_large")
