"""Which agent gets a request, and as what the decision counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Stack

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = [CHAT, MESSAGES, RESPONSES]
WEATHER = "Is rain forecast for Oslo tomorrow?"
FLIGHT = "Book me a flight to Oslo."
HOTEL = "I need a hotel room for two nights."
UNFIT = "Explain quantum chromodynamics."


def conversation(path: str, text: str, model: str | None = None) -> dict[str, Any]:
    member = "input" if path == RESPONSES else "messages"
    body: dict[str, Any] = {member: [{"role": "user", "content": text}]}
    return body if model is None else body | {"model": model}


@pytest.fixture
def ask(http: httpx.Client) -> Callable[..., tuple[str, str]]:
    """Post a conversation; return the agent and the source of the decision."""

    def post(stack: Stack, path: str, text: str, model: str | None = None) -> tuple[str, str]:
        answer = http.post(stack.url + path, json=conversation(path, text, model))
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-outerloop-agent"] == answer.json()["agent"]
        return answer.json()["agent"], answer.headers["x-outerloop-source"]

    return post


Ask = Callable[..., tuple[str, str]]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("text", "agent"),
    [(WEATHER, "weather_agent"), (FLIGHT, "flight_agent"), (HOTEL, "hotel_agent")],
)
def test_descriptions_decide(ask: Ask, travel: Stack, path: str, text: str, agent: str) -> None:
    assert ask(travel, path, text) == (agent, "embedded")


@pytest.mark.parametrize("path", PATHS)
def test_a_model_that_is_an_agents_id_decides(ask: Ask, travel: Stack, path: str) -> None:
    assert ask(travel, path, WEATHER, "hotel_agent") == ("hotel_agent", "explicit")


@pytest.mark.parametrize("model", ["gpt-4o", "Hotel_Agent", " hotel_agent", "hotel_agent ", ""])
def test_any_other_model_does_not(ask: Ask, travel: Stack, model: str) -> None:
    assert ask(travel, CHAT, WEATHER, model) == ("weather_agent", "embedded")


@pytest.mark.parametrize("path", PATHS)
def test_what_fits_nothing_goes_to_the_default_agent(ask: Ask, travel: Stack, path: str) -> None:
    assert ask(travel, path, UNFIT) == ("weather_agent", "default")


def test_the_newest_question_counts(http: httpx.Client, travel: Stack) -> None:
    turns = [("user", WEATHER), ("assistant", "Rain."), ("user", HOTEL)]
    body = {"messages": [{"role": role, "content": text} for role, text in turns]}
    answer = http.post(travel.url + CHAT, json=body)
    assert answer.json()["agent"] == "hotel_agent"


LISTENERS = """
version: v1
agents:
  - {{id: weather_agent, url: {weather}}}
  - {{id: flight_agent, url: {flight}}}
  - {{id: hotel_agent, url: {hotel}, enabled: false}}
listeners:
  - {{name: alone, port: 0, agents: [{{id: flight_agent, description: Flights.}}]}}
  - name: later_default
    port: 0
    agents:
      - {{id: weather_agent, description: Weather forecasts.}}
      - {{id: flight_agent, description: Flights., default: true}}
      - {{id: hotel_agent, description: Hotels.}}
  - name: first_default
    port: 0
    agents:
      - {{id: flight_agent, description: Flights.}}
      - {{id: weather_agent, description: Weather forecasts.}}
observability: {{response_headers: full}}
"""


@pytest.fixture(scope="module")
def several(run_module_stack: Callable[..., Stack], echo_agents: dict[str, EchoAgent]) -> Stack:
    urls = {name.removesuffix("_agent"): agent.url for name, agent in echo_agents.items()}
    return run_module_stack(LISTENERS.format(**urls))


@pytest.fixture
def ask_on(http: httpx.Client, several: Stack) -> Callable[..., httpx.Response]:
    def post(listener: str, text: str, model: str = "any") -> httpx.Response:
        return http.post(several.listeners[listener] + CHAT, json=conversation(CHAT, text, model))

    return post


AskOn = Callable[..., httpx.Response]


def told(answer: httpx.Response) -> tuple[str, str]:
    return answer.json()["agent"], answer.headers["x-outerloop-source"]


def test_a_listener_with_one_agent_has_nothing_to_decide(ask_on: AskOn) -> None:
    assert told(ask_on("alone", WEATHER)) == ("flight_agent", "single")


def test_an_agent_of_another_listener_cannot_be_asked_for(ask_on: AskOn) -> None:
    assert told(ask_on("alone", WEATHER, "weather_agent")) == ("flight_agent", "single")


def test_the_marked_agent_is_the_default(ask_on: AskOn) -> None:
    assert told(ask_on("later_default", UNFIT)) == ("flight_agent", "default")


def test_else_the_first_one_is(ask_on: AskOn) -> None:
    assert told(ask_on("first_default", UNFIT)) == ("flight_agent", "default")


def test_a_disabled_agent_gets_nothing(ask_on: AskOn) -> None:
    agent, source = told(ask_on("later_default", HOTEL, "hotel_agent"))
    assert agent in {"weather_agent", "flight_agent"}
    assert source != "explicit"


def test_each_listener_lists_its_own_agents(http: httpx.Client, several: Stack) -> None:
    listed = {
        name: [model["id"] for model in http.get(f"{url}/v1/models").json()["data"]]
        for name, url in several.listeners.items()
    }
    assert listed == {
        "alone": ["flight_agent"],
        "later_default": ["weather_agent", "flight_agent"],
        "first_default": ["flight_agent", "weather_agent"],
    }


def test_the_agent_is_told_the_listener(ask_on: AskOn) -> None:
    headers = dict(ask_on("first_default", FLIGHT).json()["headers"])
    assert headers["x-outerloop-listener"] == "first_default"


def test_a_plano_file_runs_unchanged(
    http: httpx.Client, run_stack: Callable[..., Stack], echo_agents: dict[str, EchoAgent]
) -> None:
    stack = run_stack(f"""
version: v0.3.0
agents:
  - id: weather_agent
    url: {echo_agents["weather_agent"].url}
  - id: flight_agent
    url: {echo_agents["flight_agent"].url}
listeners:
  - type: agent
    name: travel_booking_service
    port: 0
    router: plano_orchestrator_v1
    agents:
      - id: weather_agent
        description: Weather forecasts for any city.
      - id: flight_agent
        description: Finds and books flights.
tracing:
  random_sampling: 100
""")
    answer = http.post(stack.url + CHAT, json=conversation(CHAT, FLIGHT))
    assert answer.json()["agent"] == "flight_agent"
