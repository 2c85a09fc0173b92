"""The processor's own answers, as a client of each API gets them."""

from __future__ import annotations

import json
import os
import signal
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
LISTENER = "decision_timeout: 1s"
MORE = """
orchestrator: {on_none: reject}
limits: {max_request_bytes: 64KiB, max_json_depth: 10, max_conversation_messages: 5}
"""


@pytest.fixture(scope="module")
def strict(run_module_stack: Callable[..., Stack], travel_yaml: Callable[..., str]) -> Stack:
    """A stack with small limits that turns away what fits no agent."""
    return run_module_stack(travel_yaml(LISTENER, MORE))


@pytest.fixture(autouse=True)
def nothing_reaches_an_agent(echo_agents: dict[str, EchoAgent]) -> Iterator[None]:
    for agent in echo_agents.values():
        agent.forget()
    yield
    assert [agent.requests() for agent in echo_agents.values()] == [[], [], []]


def conversation(path: str, *texts: str) -> dict[str, Any]:
    member = "input" if path == RESPONSES else "messages"
    return {member: [{"role": "user", "content": text} for text in texts]}


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


INVALID = {
    "empty": b"",
    "not JSON": b"{",
    "a list": b"[]",
    "no conversation": b"{}",
    "an empty conversation": b'{"messages": [], "input": []}',
    "not a conversation": b'{"messages": 5, "input": 5}',
    "entries that are no objects": b'{"messages": ["a"], "input": ["a"]}',
    "a model that is no text": b'{"model": 1, "messages": [{"role": "user", "content": "a"}]}',
    "NaN": b'{"a": NaN, "messages": [{"role": "user", "content": "a"}]}',
    "duplicate keys": b'{"a": 1, "a": 2, "messages": [{"role": "user", "content": "a"}]}',
    "invalid UTF-8": b'{"messages": [{"role": "user", "content": "\xff"}], "input": "\xff"}',
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", INVALID.values(), ids=INVALID)
def test_what_is_no_conversation(
    http: httpx.Client, strict: Stack, refused: Refused, path: str, body: bytes
) -> None:
    answer = http.post(strict.url + path, content=body)
    error = refused(answer, path, 400, "invalid_request")
    assert set(error) - {"param"} == {"message", "type", "code"}


@pytest.mark.parametrize("path", PATHS)
def test_too_many_messages(http: httpx.Client, strict: Stack, refused: Refused, path: str) -> None:
    answer = http.post(strict.url + path, json=conversation(path, *"abcdef"))
    assert "5" in refused(answer, path, 400, "invalid_request")["message"]


@pytest.mark.parametrize("path", PATHS)
def test_too_deep(http: httpx.Client, strict: Stack, refused: Refused, path: str) -> None:
    body = conversation(path, "a") | {"deep": nested(10)}
    refused(http.post(strict.url + path, json=body), path, 400, "invalid_request")


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/embeddings", "/v1/chat/completions/", "/v1/models/x", "/healthz/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path(
    http: httpx.Client, strict: Stack, refused: Refused, method: str, path: str
) -> None:
    refused(http.request(method, strict.url + path), path, 404, "not_found")


@pytest.mark.parametrize("path", [f"{MESSAGES}/count_tokens", f"{MESSAGES}/batches"])
def test_an_unknown_path_of_anthropics_api(
    http: httpx.Client, strict: Stack, refused: Refused, path: str
) -> None:
    answer = http.post(strict.url + path, json=conversation(path, "a"))
    refused(answer, path, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *((method, path) for path in PATHS for method in ("GET", "PUT", "DELETE", "OPTIONS")),
        ("POST", "/v1/models"),
        ("DELETE", "/v1/models"),
    ],
)
def test_another_method(
    http: httpx.Client, strict: Stack, refused: Refused, method: str, path: str
) -> None:
    answer = http.request(method, strict.url + path)
    refused(answer, path, 405, "method_not_allowed")
    assert answer.headers.get_list("allow") == ["GET" if path == "/v1/models" else "POST"]


@pytest.mark.parametrize("path", PATHS)
def test_a_body_over_the_limit(
    http: httpx.Client, strict: Stack, refused: Refused, path: str
) -> None:
    answer = http.post(strict.url + path, json=conversation(path, "a" * 2**16))
    refused(answer, path, 413, "request_too_large")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "identity, gzip"])
def test_an_encoded_body(
    http: httpx.Client, strict: Stack, refused: Refused, path: str, encoding: str
) -> None:
    answer = http.post(
        strict.url + path,
        json=conversation(path, "Find me a flight"),
        headers={"content-encoding": encoding},
    )
    refused(answer, path, 415, "unsupported_encoding")


@pytest.mark.parametrize("path", PATHS)
def test_no_agent_fits(http: httpx.Client, strict: Stack, refused: Refused, path: str) -> None:
    answer = http.post(
        strict.url + path, json=conversation(path, "Explain quantum chromodynamics.")
    )
    error = refused(answer, path, 422, "no_agent_fits")
    assert "quantum" not in json.dumps(error)


@pytest.mark.parametrize("path", PATHS)
def test_errors_over_http2(
    http2: Callable[..., Answer], strict: Stack, refused: Refused, path: str
) -> None:
    pseudo = [(":method", "POST"), (":path", path), (":scheme", "http"), (":authority", "x")]
    refused(http2(strict.port, pseudo, b"{"), path, 400, "invalid_request")


def test_a_request_id_comes_back_with_an_error(http: httpx.Client, strict: Stack) -> None:
    answer = http.post(strict.url + CHAT, content=b"{", headers={"x-request-id": "mine"})
    assert answer.headers.get_list("x-request-id") == ["mine"]


@pytest.fixture
def stopped_worker(strict: Stack) -> Iterator[None]:
    """Let the worker stand still."""
    pid = strict.ready()["workers"][0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


@pytest.mark.usefixtures("stopped_worker")
def test_a_decision_that_takes_too_long(
    http: httpx.Client, strict: Stack, refused: Refused
) -> None:
    def ask(path: str) -> httpx.Response:
        return http.post(strict.url + path, json=conversation(path, "Find me a flight"))

    with ThreadPoolExecutor() as pool:
        for path, answer in zip(PATHS, pool.map(ask, PATHS), strict=True):
            refused(answer, path, 504, "decision_timeout")


@pytest.fixture
def no_worker(strict: Stack) -> Iterator[None]:
    """Kill the worker, and keep the supervisor from replacing it."""
    pid = strict.ready()["workers"][0]["pid"]
    strict.process.popen.send_signal(signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    yield
    strict.process.popen.send_signal(signal.SIGCONT)


@pytest.mark.usefixtures("no_worker")
def test_no_processor(http: httpx.Client, strict: Stack, refused: Refused) -> None:
    for path in PATHS:
        answer = http.post(strict.url + path, json=conversation(path, "Find me a flight"))
        refused(answer, path, 503, "processor_unavailable")
    refused(http.get(strict.url + "/v1/models"), "/v1/models", 503, "processor_unavailable")
    assert http.get(strict.url + "/healthz").status_code == 200
