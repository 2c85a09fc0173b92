"""Agents as they may be reached: by name, by address, over TLS."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trustme

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Stack

CHAT = "/v1/chat/completions"
Refused = Callable[..., dict[str, Any]]

YAML = """
version: v1
agents:
  - {{id: by_name, url: "http://localhost:{echo}"}}
  - {{id: trusted, url: "https://localhost:{tls}/base", tls: {{ca: {ca}}}}}
  - {{id: by_address, url: "https://127.0.0.1:{tls}", tls: {{ca: {ca}}}}}
  - {{id: untrusted, url: "https://localhost:{tls}"}}
  - {{id: another_name, url: "https://127.0.0.2:{tls}", tls: {{ca: {ca}}}}}
listeners:
  - name: main
    port: 0
    rules:
      - {{when: {{headers: {{x-first: trusted}}}}, agents: [trusted, by_name]}}
      - {{when: {{headers: {{x-first: untrusted}}}}, agents: [untrusted, by_name]}}
    agents: [{{id: by_name}}, {{id: trusted}}, {{id: by_address}}, {{id: untrusted}},
             {{id: another_name}}]
"""


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        text = f"{self.headers['host']} {self.path}"
        chat = json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]})
        answer = (chat if "x-first" in self.headers else text).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls_port(authority: trustme.CA) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    # The handshake belongs to the connection's own thread: one that fails must not end the server.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a refused handshake is expected here
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def stack(
    run_module_stack: Callable[..., Stack],
    echo_agents: dict[str, EchoAgent],
    authority: trustme.CA,
    tls_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stack:
    ca: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    return run_module_stack(YAML.format(echo=echo_agents["hotel_agent"].port, tls=tls_port, ca=ca))


@pytest.fixture
def ask(http: httpx.Client, stack: Stack) -> Callable[[str], httpx.Response]:
    def post(agent: str) -> httpx.Response:
        body = {"model": agent, "messages": [{"role": "user", "content": "hello"}]}
        return http.post(stack.url + CHAT, json=body)

    return post


Ask = Callable[[str], httpx.Response]


def test_an_agent_by_name(ask: Ask, echo_agents: dict[str, EchoAgent]) -> None:
    record = ask("by_name").json()
    assert dict(record["headers"])["host"] == f"localhost:{echo_agents['hotel_agent'].port}"


def test_an_agent_over_tls(ask: Ask, tls_port: int) -> None:
    assert ask("trusted").text == f"localhost:{tls_port} /base{CHAT}"


def test_an_agent_over_tls_by_address(ask: Ask, tls_port: int) -> None:
    assert ask("by_address").text == f"127.0.0.1:{tls_port} {CHAT}"


@pytest.mark.parametrize("agent", ["untrusted", "another_name"])
def test_a_certificate_that_does_not_fit_is_refused(ask: Ask, refused: Refused, agent: str) -> None:
    error = refused(ask(agent), CHAT, 503, "upstream_unreachable")
    assert error["agent"] == agent
    assert "certificate" not in str(error).lower()


HELLO = {"messages": [{"role": "user", "content": "hello"}]}


def test_an_earlier_agent_over_tls(http: httpx.Client, stack: Stack, tls_port: int) -> None:
    answer = http.post(stack.url + CHAT, json=HELLO, headers={"x-first": "trusted"})
    [said, _] = json.loads(base64.b64decode(answer.json()["body"]))["messages"]
    assert said["content"] == f"localhost:{tls_port} /base{CHAT}"


def test_an_earlier_agents_certificate_that_does_not_fit(
    http: httpx.Client, stack: Stack, refused: Refused
) -> None:
    answer = http.post(stack.url + CHAT, json=HELLO, headers={"x-first": "untrusted"})
    assert refused(answer, CHAT, 502, "step_failed")["agent"] == "untrusted"
