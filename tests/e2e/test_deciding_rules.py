"""Rules before any strategy, through a real Envoy; and what is refused where no agent fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Stack

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
WEATHER = "Is rain forecast for Oslo tomorrow?"
FLIGHT = "Book me a flight to Oslo."
UNFIT = "Explain quantum chromodynamics."

YAML = """
version: v1
agents:
  - {{id: weather_agent, url: {weather}}}
  - {{id: flight_agent, url: {flight}}}
  - {{id: rail_agent, url: {flight}}}
  - {{id: legacy_agent, url: {hotel}}}
orchestrator: {{max_agents: 1}}
listeners:
  - name: ruled
    port: 0
    rules:
      - {{when: {{method: GET}}, agents: [flight_agent]}}
      - {{when: {{headers: {{x-tenant: acme, x-beta: "yes"}}}}, agents: [rail_agent]}}
      - {{when: {{headers: {{X-Tenant: acme}}}}, agents: [legacy_agent]}}
      - {{when: {{path: /v1/messages}}, agents: [flight_agent]}}
      - {{when: {{headers: {{x-plan: free}}, method: POST}}, allow: [flight_agent, rail_agent]}}
      - {{when: {{headers: {{x-plan: one}}}}, allow: [rail_agent]}}
    agents: &agents
      - {{id: weather_agent, description: Weather forecasts for any city., default: true}}
      - {{id: flight_agent, description: Finds and books flights.}}
      - {{id: rail_agent, description: Finds and books trains.}}
  - {{name: plain, port: 0, agents: *agents}}
observability: {{response_headers: full}}
"""


@pytest.fixture(scope="module")
def stack(run_module_stack: Callable[..., Stack], echo_agents: dict[str, EchoAgent]) -> Stack:
    urls = {name.removesuffix("_agent"): agent.url for name, agent in echo_agents.items()}
    return run_module_stack(YAML.format(**urls))


@pytest.fixture
def ask(http: httpx.Client, stack: Stack) -> Callable[..., tuple[str, str]]:
    """Post a question; return the agent and the source of the decision."""

    def post(
        text: str, path: str = CHAT, model: str = "any", listener: str = "ruled", **headers: str
    ) -> tuple[str, str]:
        url = stack.listeners[listener] + path
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = http.post(url, json=body(path, text, model), headers=names)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-outerloop-agent"], answer.headers["x-outerloop-source"]

    return post


def body(path: str, text: str, model: str = "any") -> dict[str, Any]:
    member = "input" if path == RESPONSES else "messages"
    return {"model": model, member: [{"role": "user", "content": text}]}


Ask = Callable[..., tuple[str, str]]


def test_a_header_routes_whatever_is_asked(ask: Ask) -> None:
    for text in (WEATHER, FLIGHT, UNFIT):
        assert ask(text, x_tenant="acme") == ("legacy_agent", "rule")


def test_a_rule_goes_before_the_clients_own_choice(ask: Ask) -> None:
    assert ask(WEATHER, model="flight_agent", x_tenant="acme") == ("legacy_agent", "rule")


def test_all_that_a_rule_names_must_match(ask: Ask) -> None:
    assert ask(WEATHER, x_tenant="acme", x_beta="yes") == ("rail_agent", "rule")
    assert ask(WEATHER, x_beta="yes") == ("weather_agent", "embedded")
    assert ask(WEATHER, x_tenant="ACME") == ("weather_agent", "embedded")


def test_a_path_routes(ask: Ask) -> None:
    assert ask(WEATHER, MESSAGES) == ("flight_agent", "rule")
    assert ask(WEATHER, f"{MESSAGES}?beta=true") == ("flight_agent", "rule")
    assert ask(WEATHER, RESPONSES) == ("weather_agent", "embedded")


def test_an_agent_that_only_a_rule_names_is_reached_by_nothing_else(ask: Ask) -> None:
    assert ask(WEATHER, model="legacy_agent") == ("weather_agent", "embedded")
    assert ask(WEATHER, listener="plain", x_tenant="acme") == ("weather_agent", "embedded")


def test_it_is_not_listed(http: httpx.Client, stack: Stack) -> None:
    answer = http.get(stack.listeners["ruled"] + "/v1/models", headers={"x-tenant": "acme"})
    listed = [model["id"] for model in answer.json()["data"]]
    assert listed == ["weather_agent", "flight_agent", "rail_agent"]


def test_allow_limits_what_may_be_chosen(ask: Ask) -> None:
    assert ask(FLIGHT, x_plan="free") == ("flight_agent", "embedded")
    assert ask(WEATHER, x_plan="free")[0] in {"flight_agent", "rail_agent"}
    assert ask(WEATHER, x_plan="paid") == ("weather_agent", "embedded")


def test_allow_limits_the_clients_choice_too(ask: Ask) -> None:
    assert ask(UNFIT, model="rail_agent", x_plan="free") == ("rail_agent", "explicit")
    assert ask(FLIGHT, model="weather_agent", x_plan="free") == ("flight_agent", "embedded")


def test_the_first_allowed_agent_takes_the_place_of_a_default_that_is_not(ask: Ask) -> None:
    assert ask(UNFIT) == ("weather_agent", "default")
    assert ask(UNFIT, x_plan="free") == ("flight_agent", "default")


def test_where_one_is_allowed_nothing_is_decided(ask: Ask) -> None:
    assert ask(WEATHER, x_plan="one") == ("rail_agent", "single")


@pytest.fixture(scope="module")
def strict(run_module_stack: Callable[..., Stack], travel_yaml: Callable[..., str]) -> Stack:
    return run_module_stack(travel_yaml(more="orchestrator: {on_none: reject}"))


@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
def test_what_fits_no_agent_is_refused_where_that_is_asked_for(
    http: httpx.Client, strict: Stack, refused: Callable[..., Any], path: str
) -> None:
    for _ in range(2):
        error = refused(
            http.post(strict.url + path, json=body(path, UNFIT)), path, 422, "no_agent_fits"
        )
        assert "chromodynamics" not in str(error)
    assert http.post(strict.url + path, json=body(path, WEATHER)).status_code == 200
