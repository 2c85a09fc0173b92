"""An embeddings server decides, through a real Envoy; the embedded strategy where it fails."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import ScriptedServer, Stack

CHAT = "/v1/chat/completions"
NEVER = 60.0
"""Seconds that a slow server takes: nobody waits for it."""

FAILURES = (
    *("slow", "500", "html", "abort", "too few", "not a number"),
    *("fewer dimensions", "mixed dimensions"),
)
FEW_FAILURES = {"500"}
ORCHESTRATOR = """
orchestrator:
  strategy: embeddings
  max_agents: 1
  embeddings: {{url: "{url}/base/v1", name: minilm, access_key: vector-key, timeout: 1s}}
  cache: {{entries: {entries}}}
observability: {{response_headers: full}}
"""
EXPECTED = {
    "Weather forecast for Oslo": "weather_agent",
    "Book flights to Oslo": "flight_agent",
    "Find hotels": "hotel_agent",
}
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def embeddings_server(scripted_server: Callable[..., ScriptedServer]) -> ScriptedServer:
    return scripted_server("fake_embeddings.py", seconds=NEVER)


@pytest.fixture
def embeddings(embeddings_server: ScriptedServer) -> ScriptedServer:
    """A server that answers, and has been sent nothing yet."""
    embeddings_server.script("ok")
    embeddings_server.requests()
    return embeddings_server


@pytest.fixture(scope="module")
def stack(
    run_module_stack: Callable[..., Stack],
    travel_yaml: Callable[..., str],
    embeddings_server: ScriptedServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stack:
    cache = str(tmp_path_factory.mktemp("cache"))
    yaml = travel_yaml(more=ORCHESTRATOR.format(url=embeddings_server.url, entries=0))
    return run_module_stack(yaml, env={"XDG_CACHE_HOME": cache})


@pytest.fixture
def ask(http: httpx.Client) -> Callable[..., tuple[str, str]]:
    def post(stack: Stack, text: str, **headers: str) -> tuple[str, str]:
        messages = [{"role": "system", "content": "SYSTEM"}, {"role": "user", "content": text}]
        answer = http.post(stack.url + CHAT, json={"messages": messages}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-outerloop-agent"], answer.headers["x-outerloop-source"]

    return post


Ask = Callable[..., tuple[str, str]]


@pytest.fixture
def fitted(ask: Ask, stack: Stack, embeddings: ScriptedServer) -> Stack:
    """The stack, its worker having read the agents."""
    deadline = time.monotonic() + 40
    while ask(stack, "flights")[1] != "embeddings":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    embeddings.requests()
    return stack


@pytest.fixture
def launch(
    run_stack: Callable[..., Stack], travel_yaml: Callable[..., str], tmp_path: Path
) -> Callable[..., Stack]:
    """Start a stack; those of one test have the same cache folder, and nobody else."""

    def run(url: str, entries: int = 0) -> Stack:
        yaml = travel_yaml(more=ORCHESTRATOR.format(url=url, entries=entries))
        return run_stack(yaml, env={"XDG_CACHE_HOME": str(tmp_path)})

    return run


Launch = Callable[..., "Stack"]


@pytest.mark.parametrize("mode", ["ok", "base64"])
def test_vectors_decide(ask: Ask, fitted: Stack, embeddings: ScriptedServer, mode: str) -> None:
    embeddings.script(mode)
    for text, agent in EXPECTED.items():
        assert ask(fitted, text) == (agent, "embeddings")
    assert len(embeddings.requests()) == len(EXPECTED)


def test_the_server_is_sent_the_turn_and_nothing_of_the_caller(
    ask: Ask, fitted: Stack, embeddings: ScriptedServer
) -> None:
    keys = {"authorization": "Bearer caller-key", "x-api-key": "caller-key", "cookie": "caller-key"}
    ask(fitted, "Book flights to Oslo, then find hotels.", **keys)
    (request,) = embeddings.requests()
    assert request["path"] == "/base/v1/embeddings"
    assert request["body"].keys() == {"model", "input"}
    whole, *clauses = request["body"]["input"]
    assert whole == "Book flights to Oslo, then find hotels."
    assert clauses
    assert "SYSTEM" not in str(request)
    assert "caller-key" not in str(request)
    assert dict(request["headers"])["authorization"] == "Bearer vector-key"


@pytest.mark.parametrize("mode", FAILURES)
def test_a_failing_server_costs_its_timeout_at_most(
    ask: Ask, fitted: Stack, embeddings: ScriptedServer, mode: str
) -> None:
    embeddings.script(mode)
    started = time.monotonic()
    assert ask(fitted, "Book flights to Oslo") == ("flight_agent", "embedded")
    assert time.monotonic() - started < NEVER / 4
    assert embeddings.requests()
    embeddings.script("ok")
    assert ask(fitted, "Book flights to Oslo") == ("flight_agent", "embeddings")


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param(mode, marks=() if mode in FEW_FAILURES else pytest.mark.slow)
        for mode in FAILURES
    ],
)
def test_a_server_that_fails_from_the_start(
    ask: Ask, launch: Launch, embeddings: ScriptedServer, mode: str
) -> None:
    embeddings.script(mode)
    stack = launch(embeddings.url)
    started = time.monotonic()
    for _ in range(3):
        agent, source = ask(stack, "Book flights to Oslo")
        # Vectors that are shorter by one are fine where all of them are.
        expected = "embeddings" if mode == "fewer dimensions" else "embedded"
        assert (agent, source) == ("flight_agent", expected)
    assert time.monotonic() - started < NEVER / 4


def test_a_server_that_is_not_there(ask: Ask, launch: Launch, free_port: int) -> None:
    stack = launch(f"http://127.0.0.1:{free_port}")
    for _ in range(8):
        assert ask(stack, "Book flights to Oslo") == ("flight_agent", "embedded")


def test_a_fallback_to_the_embedded_strategy_is_not_remembered(
    http: httpx.Client, launch: Launch, embeddings: ScriptedServer
) -> None:
    stack = launch(embeddings.url, entries=100)

    def told(number: int) -> tuple[str, str]:
        messages = [{"role": "user", "content": f"Book flights {number}"}]
        headers = http.post(stack.url + CHAT, json={"messages": messages}).headers
        return headers["x-outerloop-source"], headers["x-outerloop-cached"]

    deadline = time.monotonic() + 40
    while told(next(NUMBERS))[0] != "embeddings":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    number = next(NUMBERS)
    embeddings.script("too few")
    assert told(number) == ("embedded", "false")
    assert told(number) == ("embedded", "false")
    embeddings.script("ok")
    assert told(number) == ("embeddings", "false")
    assert told(number) == ("embeddings", "true")


def test_agents_are_read_once_for_all_starts(
    ask: Ask, launch: Launch, embeddings: ScriptedServer, tmp_path: Path
) -> None:
    texts = []
    for _ in range(2):
        stack = launch(embeddings.url)
        while ask(stack, "a very secret question about flights")[1] != "embeddings":
            time.sleep(0.2)
        stack.process.stop()
        texts.append(sum(len(request["body"]["input"]) for request in embeddings.requests()))
    assert texts[0] > 100
    assert texts[1] < 20
    files = [path for path in tmp_path.rglob("*") if path.is_file() and "embeddings" in path.parts]
    assert len(files) == 1
    assert b"secret" not in files[0].read_bytes()
