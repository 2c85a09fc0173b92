"""TLS towards clients, with certificates that change, and towards agents that want to be sure."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
import trustme

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Stack

CHAT: Final = "/v1/chat/completions"
OUTERLOOP: Final = str(Path(sys.executable).parent / "outerloop")
DEADLINE: Final = 60.0
YAML = """
version: v1
agents:
  - {{id: plain, url: "{echo}"}}
  - {{id: both, endpoints: ["https://localhost:{by_name}/base", "https://127.0.0.1:{by_address}/base"],
      load_balancing: round_robin, tls: {{ca: ca.pem}}}}
  # Either name is one that a host has, but not the one that is asked for by it.
  - {{id: swapped, endpoints: ["https://127.0.0.1:{by_name}", "https://localhost:{by_address}"],
      tls: {{ca: ca.pem}}}}
  - {{id: half, endpoints: ["https://127.0.0.1:{by_address}", "https://127.0.0.1:{by_name}"],
      load_balancing: round_robin, tls: {{ca: ca.pem}}}}
  - {{id: known, url: "https://localhost:{wary}", tls: {{ca: ca.pem, {pair}}}}}
  - {{id: unknown, url: "https://localhost:{wary}", tls: {{ca: ca.pem}}}}
  - {{id: stranger, url: "https://localhost:{wary}", tls: {{ca: ca.pem, {strange_pair}}}}}
  # Two more of our own listeners, which speak HTTP/2 and want to know who asks.
  - {{id: looped, url: "https://localhost:{mutual}", http2: true, tls: {{ca: ca.pem, {pair}}}}}
  - {{id: looped_open, url: "http://127.0.0.1:{clear}", http2: true}}
listeners:
  - name: open
    port: 0
    tls: {{certificate: open.pem, key: open-key.pem}}
    rules:
      - {{when: {{headers: {{x-plan: steps}}}}, agents: [known, looped, plain]}}
    agents: [{{id: plain}}, {{id: both}}, {{id: swapped}}, {{id: half}}, {{id: known}},
             {{id: unknown}}, {{id: stranger}}, {{id: looped}}, {{id: looped_open}}]
  - name: mutual
    port: {mutual}
    tls: {{certificate: open.pem, key: open-key.pem, client_ca: clients.pem}}
    agents: [{{id: plain}}]
  - {{name: clear, port: {clear}, agents: [{{id: plain}}]}}
"""
SAID: Final = {"choices": [{"message": {"role": "assistant", "content": "said"}}]}


class Files:
    """The certificates of a stack, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca, self.clients, self.strangers = trustme.CA(), trustme.CA(), trustme.CA()
        self.ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.clients.cert_pem.write_to_path(str(folder / "clients.pem"))
        self.ours = self.ca.issue_cert("localhost", "127.0.0.1")
        self.client = self.clients.issue_cert("client@example")
        self.stranger = self.strangers.issue_cert("client@example")
        self.write(*pems(self.ours))
        for name, pair in (("client", self.client), ("stranger", self.stranger)):
            certificate, key = pems(pair)
            (folder / f"{name}.pem").write_bytes(certificate)
            (folder / f"{name}-key.pem").write_bytes(key)

    def write(self, certificate: bytes, key: bytes, *, rename: bool = False) -> None:
        """Write what listeners show, over what is there or in its place."""
        for name, content in (("open.pem", certificate), ("open-key.pem", key)):
            path = self.folder / name
            written = path.with_suffix(".new") if rename else path
            written.write_bytes(content)
            written.rename(path)

    def trusting(self, client: trustme.LeafCert | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        if client is not None:
            client.configure_cert(context)
        return context


def pems(pair: trustme.LeafCert) -> tuple[bytes, bytes]:
    """Return the chain and the key."""
    chain = b"".join(each.bytes() for each in pair.cert_chain_pems)
    return chain, pair.private_key_pem.bytes()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        assert isinstance(self.connection, ssl.SSLSocket)
        asking = self.connection.getpeercert()
        told = {"host": self.headers["host"], "path": self.path, "known": bool(asking), **SAID}
        answer = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def https_agent(files: Files) -> Iterator[Callable[..., int]]:
    """Run agents that show a certificate of one name, and may want one of their callers."""
    with ExitStack() as ends:

        def run(name: str, *, wary: bool = False) -> int:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            files.ca.issue_cert(name).configure_cert(context)
            if wary:
                context.verify_mode = ssl.CERT_REQUIRED
                files.clients.configure_trust(context)
            server = ends.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            # Not in the thread that accepts: handshakes that fail are part of the test.
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
            server.handle_error = lambda *_: None  # type: ignore[method-assign]
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            ends.callback(thread.join)
            ends.callback(server.shutdown)
            return server.server_port

        yield run


@pytest.fixture(scope="module")
def stack(
    run_module_stack: Callable[..., Stack],
    echo_agents: dict[str, EchoAgent],
    files: Files,
    https_agent: Callable[..., int],
    free_ports: Callable[[int], list[int]],
) -> Stack:
    mutual, clear = free_ports(2)
    yaml = YAML.format(
        echo=echo_agents["weather_agent"].url,
        by_name=https_agent("localhost"),
        by_address=https_agent("127.0.0.1"),
        wary=https_agent("localhost", wary=True),
        pair="certificate: client.pem, key: client-key.pem",
        strange_pair="certificate: stranger.pem, key: stranger-key.pem",
        mutual=mutual,
        clear=clear,
    )
    for name in (
        "ca",
        "open",
        "open-key",
        "clients",
        "client",
        "client-key",
        "stranger",
        "stranger-key",
    ):
        yaml = yaml.replace(f" {name}.pem", f" {files.folder}/{name}.pem")
    return run_module_stack(yaml)


def body_for(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def client(files: Files) -> Iterator[httpx.Client]:
    with httpx.Client(verify=files.trusting(), timeout=DEADLINE) as client:
        yield client


Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(client: httpx.Client, stack: Stack) -> Ask:
    def post(model: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(stack.url + CHAT, json=body_for(model), headers=named)

    return post


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


# Towards clients.


def test_https_is_what_is_told(stack: Stack) -> None:
    assert {name: url.partition(":")[0] for name, url in stack.listeners.items()} == {
        "open": "https",
        "mutual": "https",
        "clear": "http",
    }
    assert stack.url.startswith("https://127.0.0.1:")


@pytest.mark.parametrize(("http2", "version"), [(False, "HTTP/1.1"), (True, "HTTP/2")])
def test_clients_speak_what_they_prefer(
    files: Files, stack: Stack, http2: bool, version: str
) -> None:
    with httpx.Client(verify=files.trusting(), http2=http2, timeout=DEADLINE) as client:
        answer = client.post(stack.url + CHAT, json=body_for("plain"))
        assert (answer.status_code, answer.http_version) == (200, version)
        assert dict(answer.json()["headers"])["x-forwarded-proto"] == "https"
        assert client.get(f"{stack.url}/healthz").status_code == 200


@pytest.mark.parametrize("offered", [["h2", "http/1.1"], ["http/1.1"], ["h2"]])
def test_the_protocol_is_settled_in_the_handshake(
    files: Files, stack: Stack, offered: list[str]
) -> None:
    context = files.trusting()
    context.set_alpn_protocols(offered)
    with (
        socket.create_connection(("127.0.0.1", stack.port), timeout=DEADLINE) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as secured,
    ):
        assert secured.selected_alpn_protocol() == offered[0]


def test_without_tls_there_is_no_answer(stack: Stack) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(stack.url.replace("https", "http") + "/healthz", timeout=DEADLINE)


def test_a_client_without_the_right_certificate_is_not_let_in(files: Files, stack: Stack) -> None:
    url = stack.listeners["mutual"] + CHAT
    for certificate in (None, files.stranger):
        for http2 in (False, True):
            context = files.trusting(certificate)
            with (
                httpx.Client(verify=context, http2=http2, timeout=DEADLINE) as client,
                pytest.raises(httpx.TransportError),
            ):
                client.post(url, json=body_for("plain"))
    with httpx.Client(verify=files.trusting(files.client), timeout=DEADLINE) as client:
        # What a client says of its certificate is not to be believed by an agent.
        claimed = {"x-forwarded-client-cert": "Subject=admin"}
        answer = client.post(url, json=body_for("plain"), headers=claimed)
        assert answer.status_code == 200
        assert "x-forwarded-client-cert" not in dict(answer.json()["headers"])


def shown(files: Files, stack: Stack) -> bytes | None:
    """Return the certificate that a new connection gets to see."""
    with (
        socket.create_connection(("127.0.0.1", stack.port), timeout=DEADLINE) as connection,
        files.trusting().wrap_socket(connection, server_hostname="localhost") as secured,
    ):
        return secured.getpeercert(binary_form=True)


def der(pair: trustme.LeafCert) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.cert_chain_pems[0].bytes().decode())


def config(stack: Stack) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(f"{stack.admin}/config", timeout=DEADLINE).json()
    return told


@pytest.mark.parametrize("rename", [True, False])
def test_a_new_certificate_is_shown_and_no_stream_breaks(
    files: Files,
    stack: Stack,
    client: httpx.Client,
    echo_agents: dict[str, EchoAgent],
    rename: bool,
) -> None:
    number = f"renewed-{rename}"
    headers = {"x-request-id": number, "x-test-sse": "3,0", "x-test-hold": "now"}
    with client.stream("POST", stack.url + CHAT, json=body_for("plain"), headers=headers) as answer:
        lines = answer.iter_lines()
        assert json.loads(next(lines).removeprefix("data: "))["number"] == 0
        renewed = files.ca.issue_cert("localhost", "127.0.0.1")
        assert shown(files, stack) != der(renewed)
        files.write(*pems(renewed), rename=rename)
        until(lambda: shown(files, stack) == der(renewed))
        # The running stream is on the connection that began with the one before.
        assert number in echo_agents["weather_agent"].running()
        echo_agents["weather_agent"].release(number)
        assert [line for line in lines if line][-1] == "data: [DONE]"
    # So is the next request on that connection.
    assert client.get(f"{stack.url}/healthz").status_code == 200


def broken(how: str, files: Files) -> tuple[bytes, bytes]:
    certificate, key = pems(files.ca.issue_cert("localhost", "127.0.0.1"))
    other, _ = pems(files.ca.issue_cert("localhost", "127.0.0.1"))
    return (other, key) if how == "no pair" else (certificate, key[:-60])


@pytest.mark.parametrize("how", ["no pair", "cut"])
def test_a_broken_pair_changes_nothing_and_the_log_says_why(
    files: Files, stack: Stack, ask: Ask, how: str
) -> None:
    before = shown(files, stack)
    good = [(files.folder / name).read_bytes() for name in ("open.pem", "open-key.pem")]
    generation, known = config(stack)["generation"], len(stack.process.err.lines)
    certificate, key = broken(how, files)
    try:
        files.write(certificate, key, rename=True)
        until(lambda: any("was not taken over" in line for line in said(stack, known)))
        told = config(stack)
        assert (told["generation"], told["last_reload"]["outcome"]) == (generation, "rejected")
        [error] = told["last_reload"]["errors"]
        assert f"{files.folder}/open.pem" in error
        assert any(error in line for line in said(stack, known))
        assert shown(files, stack) == before
        assert ask("plain").status_code == 200
    finally:
        files.write(good[0], good[1])
    until(lambda: config(stack)["last_reload"]["outcome"] == "applied")
    secret = [line for line in key.decode().splitlines() if line and "---" not in line]
    assert not [line for line in secret if line in stack.process.output + json.dumps(told)]


def said(stack: Stack, known: int) -> list[str]:
    return stack.process.err.lines[known:]


def test_keys_of_listeners_are_shown_nowhere(files: Files, stack: Stack) -> None:
    argv = Path(f"/proc/{stack.ready()['envoy']['pid']}/cmdline").read_text().split("\0")
    run = Path(argv[argv.index("--config-path") + 1]).parent
    transport = httpx.HTTPTransport(uds=str(run / "envoy.sock"))
    with httpx.Client(transport=transport, timeout=DEADLINE) as envoy:
        dump = envoy.get("http://envoy/config_dump").text
    assert "listener-open-certificate" in dump
    key = (files.folder / "open-key.pem").read_text().splitlines()[1:-1]
    encoded = json.loads((run / "envoy/secret-listener-open-certificate.json").read_text())
    private = encoded["resources"][0]["tls_certificate"]["private_key"]["inline_bytes"]
    bootstrap = (run / "envoy.yaml").read_text()
    for text in (dump, bootstrap, stack.process.output, json.dumps(config(stack))):
        assert not [secret for secret in (*key, private) if secret in text]
    assert (run / "envoy/secret-listener-open-certificate.json").stat().st_mode & 0o777 == 0o600


def test_new_authorities_of_clients_are_asked_for(files: Files, stack: Stack) -> None:
    path = files.folder / "clients.pem"
    before = path.read_bytes()

    def is_let_in(certificate: trustme.LeafCert) -> bool:
        url = stack.listeners["mutual"] + "/healthz"
        with httpx.Client(verify=files.trusting(certificate), timeout=DEADLINE) as client:
            try:
                return client.get(url).status_code == 200
            except httpx.TransportError:
                return False

    try:
        path.write_bytes(files.strangers.cert_pem.bytes())
        until(lambda: is_let_in(files.stranger))
        assert not is_let_in(files.client)
    finally:
        path.write_bytes(before)
    until(lambda: is_let_in(files.client))
    assert not is_let_in(files.stranger)


@pytest.mark.parametrize("lacking", ["certificate", "key", "client_ca"])
def test_it_does_not_start_without_its_files(files: Files, tmp_path: Path, lacking: str) -> None:
    names = {"certificate": "client.pem", "key": "client-key.pem", "client_ca": "clients.pem"}
    tls = ", ".join(
        f"{key}: {files.folder}/{name}" for key, name in names.items() if key != lacking
    )
    file = tmp_path / "outerloop.yaml"
    file.write_text(f"""
version: v1
agents: [{{id: a, url: "http://127.0.0.1:1"}}]
listeners:
  - {{name: main, port: 0, tls: {{{tls}, {lacking}: not-there.pem}}, agents: [{{id: a}}]}}
""")
    up = [OUTERLOOP, "up", "-c", str(file), "--admin", "127.0.0.1:0"]
    ended = subprocess.run(up, capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert ended.returncode == 3
    missing = tmp_path / "not-there.pem"
    assert ended.stderr == f"outerloop: {missing}: No such file or directory\n"
    assert ended.stdout == ""


# Towards agents.


def test_each_host_of_an_agent_shows_its_own_name(ask: Ask) -> None:
    answers = [ask("both") for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    hosts = {answer.json()["host"].partition(":")[0] for answer in answers}
    assert hosts == {"localhost", "127.0.0.1"}
    assert {answer.json()["path"] for answer in answers} == {f"/base{CHAT}"}


def test_a_host_with_the_name_of_another_is_refused(
    ask: Ask, refused: Callable[..., dict[str, Any]]
) -> None:
    for _ in range(4):
        refused(ask("swapped"), CHAT, 503, "upstream_unreachable")
    # Beside one that is right it is not used: a failed handshake is tried again elsewhere.
    answers = [ask("half") for _ in range(4)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["host"] for answer in answers}) == 1


def test_an_agent_that_wants_a_certificate_gets_it(ask: Ask) -> None:
    answer = ask("known")
    assert (answer.status_code, answer.json()["known"]) == (200, True)


@pytest.mark.parametrize("agent", ["unknown", "stranger"])
def test_it_serves_nobody_else(
    ask: Ask, refused: Callable[..., dict[str, Any]], agent: str
) -> None:
    answer = ask(agent)
    # In TLS 1.3 the client is done before the server has looked: it may break off afterwards.
    code = answer.headers["x-outerloop-error"]
    assert code in ("upstream_unreachable", "upstream_reset")
    assert "certificate" not in str(refused(answer, CHAT, 503, code)).lower()


def test_an_agent_over_http2_and_tls(ask: Ask, stack: Stack) -> None:
    for agent in ("looped", "looped_open"):
        answer = ask(agent)
        assert answer.status_code == 200
        # It went through two listeners of ours.
        assert dict(answer.json()["headers"])["outerloop-hops"] == "2"
    argv = Path(f"/proc/{stack.ready()['envoy']['pid']}/cmdline").read_text().split("\0")
    run = Path(argv[argv.index("--config-path") + 1]).parent
    transport = httpx.HTTPTransport(uds=str(run / "envoy.sock"))
    with httpx.Client(transport=transport, timeout=DEADLINE) as envoy:
        stats = envoy.get("http://envoy/stats?filter=upstream_cx_http._total").text
    for agent, version in (("looped", 2), ("looped_open", 2), ("known", 1)):
        assert f"cluster.agent/{agent}.upstream_cx_http{3 - version}_total: 0" in stats
    assert "cluster.agent/looped.upstream_cx_http2_total: 0" not in stats


def test_earlier_agents_of_a_plan_over_tls(ask: Ask) -> None:
    said = {"x_plan": "steps", "x_test_body": json.dumps(json.dumps(SAID))}
    answer = ask("none", x_request_id="steps-over-tls", **said)
    assert (answer.status_code, answer.json()) == (200, SAID)
    assert answer.headers["x-outerloop-plan"] == "known,looped,plain"
