"""A model decides, through a real Envoy; and when it fails, nothing is lost."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from extproc.orchestrator.window import BUDGET

if TYPE_CHECKING:
    from tests.e2e.conftest import ScriptedServer as Model

CHAT = "/v1/chat/completions"
TABLE = {"rain": "weather_agent", "fly": "flight_agent", "room": "hotel_agent"}
FAILURES = (
    *("slow", "500", "429", "html", "truncated", "no_choices", "empty", "wrong_shape"),
    *("prose", "endless", "abort"),
)
TIMEOUT = 1.0
NEVER = 60.0
"""Seconds that a slow model takes: nobody waits for it."""

ORCHESTRATOR = """
orchestrator:
  strategy: model
  on_error: {on_error}
  model: {{url: "{url}/base/v1", name: router-4b, access_key: model-key, timeout: {timeout}s}}
observability: {{response_headers: full}}
"""


@pytest.fixture(scope="module")
def model_server(scripted_server: Callable[..., Model]) -> Model:
    return scripted_server("fake_model.py", table=TABLE, seconds=NEVER)


@pytest.fixture
def model(model_server: Model) -> Model:
    """A model that answers, and has been sent nothing yet."""
    model_server.script("ok")
    model_server.requests()
    return model_server


def orchestrator(url: str, on_error: str = "default") -> str:
    return ORCHESTRATOR.format(url=url, on_error=on_error, timeout=TIMEOUT)


@pytest.fixture(scope="module")
def falling_back(
    run_module_stack: Callable[..., Any], travel_yaml: Callable[..., str], model_server: Model
) -> Any:
    return run_module_stack(travel_yaml(more=orchestrator(model_server.url)))


@pytest.fixture(scope="module")
def rejecting(
    run_module_stack: Callable[..., Any], travel_yaml: Callable[..., str], model_server: Model
) -> Any:
    return run_module_stack(travel_yaml(more=orchestrator(model_server.url, "reject")))


NUMBERS = itertools.count()


def ask(http: httpx.Client, stack: Any, text: str, **headers: str) -> httpx.Response:
    """Send a question that nobody has asked before: decisions are remembered."""
    body = {"model": "m", "messages": [{"role": "user", "content": f"{text} {next(NUMBERS)}"}]}
    return http.post(stack.url + CHAT, json=body, headers=headers)


def decision(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    get = answer.headers.get
    return answer.status_code, get("x-outerloop-agent"), get("x-outerloop-source")


@pytest.mark.parametrize(("word", "agent"), TABLE.items())
def test_the_model_decides(
    http: httpx.Client, falling_back: Any, model: Model, word: str, agent: str
) -> None:
    answer = ask(http, falling_back, f"I want to know about {word}")
    assert decision(answer) == (200, agent, "model")
    assert answer.json()["agent"] == agent
    assert len(model.requests()) == 1


def test_the_default_agent_gets_what_the_model_finds_no_agent_for(
    http: httpx.Client, falling_back: Any, model: Model
) -> None:
    assert decision(ask(http, falling_back, "thanks")) == (200, "weather_agent", "default")
    assert len(model.requests()) == 1


@pytest.mark.parametrize("mode", FAILURES)
def test_a_failing_model_costs_its_timeout_at_most(
    http: httpx.Client, falling_back: Any, model: Model, mode: str
) -> None:
    # An answer in between, so that no row of failures closes the model to the next test.
    assert decision(ask(http, falling_back, "a room"))[2] == "model"
    model.script(mode)
    started = time.monotonic()
    answer = ask(http, falling_back, "a room")
    assert decision(answer) == (200, "weather_agent", "fallback")
    assert answer.json()["agent"] == "weather_agent"
    assert time.monotonic() - started < NEVER / 4
    assert len(model.requests()) >= 2


@pytest.mark.parametrize("mode", FAILURES)
def test_a_failing_model_is_an_error_where_that_is_asked_for(
    http: httpx.Client, rejecting: Any, model: Model, mode: str, refused: Callable[..., Any]
) -> None:
    assert decision(ask(http, rejecting, "a room"))[2] == "model"
    model.script(mode)
    error = refused(ask(http, rejecting, "a room"), CHAT, 503, "orchestrator_failed")
    assert "room" not in json.dumps(error)


def test_a_model_that_is_not_there(
    http: httpx.Client,
    run_stack: Callable[..., Any],
    travel_yaml: Callable[..., str],
    refused: Callable[..., Any],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    stack = run_stack(travel_yaml(more=orchestrator(url)))
    # More often than the breaker lets through.
    for _ in range(8):
        assert decision(ask(http, stack, "a room")) == (200, "weather_agent", "fallback")
    stack = run_stack(travel_yaml(more=orchestrator(url, "reject")))
    refused(ask(http, stack, "a room"), CHAT, 503, "orchestrator_failed")


def test_a_dead_model_is_not_asked_for_a_while(
    http: httpx.Client, run_stack: Callable[..., Any], travel_yaml: Callable[..., str], model: Model
) -> None:
    stack = run_stack(travel_yaml(more=orchestrator(model.url)))
    model.script("500")
    for _ in range(20):
        assert decision(ask(http, stack, "a room"))[2] == "fallback"
    assert len(model.requests()) < 20
    model.script("ok")
    deadline = time.monotonic() + 40
    while decision(ask(http, stack, "a room"))[2] != "model":
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_server_without_structured_output_is_asked_without_it(
    http: httpx.Client, run_stack: Callable[..., Any], travel_yaml: Callable[..., str], model: Model
) -> None:
    stack = run_stack(travel_yaml(more=orchestrator(model.url)))
    model.script("no_schema")
    for _ in range(2):
        assert decision(ask(http, stack, "a room")) == (200, "hotel_agent", "model")
    bodies = [json.loads(request["body"]) for request in model.requests()]
    assert ["response_format" in body for body in bodies] == [True, False, False]


def test_the_model_is_sent_the_conversation_and_nothing_of_the_caller(
    http: httpx.Client, falling_back: Any, model: Model
) -> None:
    messages = [
        {"role": "system", "content": "SYSTEM"},
        {"role": "developer", "content": "DEVELOPER"},
        *({"role": "user", "content": f"old {n}"} for n in range(40)),
        {"role": "user", "content": "LONG " + "x" * 500_000},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "arguments": "CALL"}]},
        {"role": "tool", "tool_call_id": "c", "content": "TOOL"},
        {"role": "assistant", "content": "Grüezi " * 50_000},
        {"role": "user", "content": "is there a room?" + " and why" * 50_000 + " tonight?"},
    ]
    body = {"model": "m", "messages": messages, "user": "USER", "tools": [{"name": "TOOLS"}]}
    headers = {
        "authorization": "Bearer caller-key",
        "x-api-key": "caller-key",
        "cookie": "session=caller-key",
        "x-mine": "caller-key",
    }
    answer = http.post(falling_back.url + CHAT, json=body, headers=headers)
    assert decision(answer) == (200, "hotel_agent", "model")
    (request,) = model.requests()
    sent = dict(request["headers"])
    assert request["path"] == "/base/v1/chat/completions"
    assert sent["authorization"] == "Bearer model-key"
    assert sent["host"] == model.url.removeprefix("http://")
    assert "caller-key" not in str(sent)
    assert not {name for name in sent if name.startswith("x-outerloop-")}
    for text in ("SYSTEM", "DEVELOPER", "CALL", "TOOL", "USER", "old 0", "caller-key"):
        assert text not in request["body"]
    for text in ("old 39", "LONG", "Grüezi", "is there a room?", "tonight?", "[...]"):
        assert text in request["body"]
    # The rest are our prompt and three agents.
    assert len(request["body"].encode()) < BUDGET + 4_000


PLANO = """
version: v0.3.0
agents:
  - {{id: weather_agent, url: {weather}}}
  - {{id: hotel_agent, url: {hotel}}}
model_providers:
  - model: plano/Plano-Orchestrator
    base_url: {model}
    access_key: $MODEL_KEY
overrides:
  agent_orchestration_model: plano/Plano-Orchestrator
listeners:
  - type: agent
    name: travel
    port: 0
    router: plano_orchestrator_v1
    agents:
      - {{id: weather_agent, description: Weather forecasts for any city.}}
      - {{id: hotel_agent, description: Finds and books hotels.}}
tracing: {{random_sampling: 100}}
"""


def test_a_plano_file_is_driven_by_its_model(
    http: httpx.Client, run_stack: Callable[..., Any], echo_agents: dict[str, Any], model: Model
) -> None:
    yaml = PLANO.format(
        weather=echo_agents["weather_agent"].url,
        hotel=echo_agents["hotel_agent"].url,
        model=model.url,
    )
    stack = run_stack(yaml, env={"MODEL_KEY": "plano-key"})
    model.script("ok", content='{"route": "hotel_agent"}')
    assert decision(ask(http, stack, "somewhere to sleep")) == (200, "hotel_agent", "model")
    (request,) = model.requests()
    assert dict(request["headers"])["authorization"] == "Bearer plano-key"
    assert json.loads(request["body"])["model"] == "Plano-Orchestrator"


async def test_a_thousand_conversations_survive_a_model_that_fails_at_random(
    falling_back: Any, model: Model
) -> None:
    model.script("random", seed=7)
    words = itertools.cycle(TABLE)
    at_once = asyncio.Semaphore(32)
    async with httpx.AsyncClient(timeout=60, verify=False) as client:

        async def one(number: int, word: str) -> tuple[str, str]:
            messages = [{"role": "user", "content": f"conversation {number} about {word}"}]
            async with at_once:
                answer = await client.post(
                    falling_back.url + CHAT, json={"model": "m", "messages": messages}
                )
            status, agent, source = decision(answer)
            assert (status, answer.json()["agent"]) == (200, agent)
            assert agent == (TABLE[word] if source == "model" else "weather_agent")
            return str(source), str(agent)

        outcomes = await asyncio.gather(*(one(n, next(words)) for n in range(1000)))
    sources = Counter(source for source, _ in outcomes)
    assert set(sources) == {"model", "fallback"}
    assert sum(sources.values()) == 1000
