"""Decisions, plans, reloads and the processor's end, through another control plane's Envoy."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Seen
    from tests.mesh.harness import Gateway

CHAT = "/v1/chat/completions"
ANSWER = {"choices": [{"message": {"role": "assistant", "content": "It rains."}}]}


def asking(text: str, **members: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **members}


@pytest.mark.parametrize(
    ("body", "decision"),
    [
        (asking("Will it rain in Paris tomorrow?"), ("weather_agent", "embedded")),
        (asking("Find me a flight to Oslo"), ("flight_agent", "embedded")),
        (asking("Book a hotel in Rome"), ("hotel_agent", "embedded")),
        (asking("hello", model="hotel_agent"), ("hotel_agent", "explicit")),
        (asking("qwertz"), ("weather_agent", "default")),
    ],
)
def test_each_goes_where_it_was_decided(
    http: httpx.Client,
    travel: Gateway,
    seen: Callable[[Any], Seen],
    body: dict[str, Any],
    decision: tuple[str, str],
) -> None:
    agent, source = decision
    answer = http.post(travel.url + CHAT, json=body)
    assert answer.status_code == 200, answer.text
    request = seen(answer.json())
    assert (request.agent, request.header("x-outerloop-source")) == (agent, source)
    assert answer.headers["x-outerloop-agent"] == agent
    assert answer.headers["x-outerloop-source"] == source
    assert answer.headers["x-outerloop-plan"] == agent
    assert answer.headers["x-outerloop-step"] == "1/1"
    assert answer.headers["x-request-id"] == request.header("x-request-id")
    assert float(answer.headers["x-outerloop-decision-ms"]) >= 0


def test_a_plan_of_two(
    http: httpx.Client, travel: Gateway, echo_agents: dict[str, EchoAgent]
) -> None:
    for agent in echo_agents.values():
        agent.forget()
    wish = {"x-test-body": json.dumps(json.dumps(ANSWER)), "x-test-at": "weather_agent"}
    body = asking("What is the weather in Rome, and find me a flight to Rome")
    answer = http.post(travel.url + CHAT, json=body, headers=wish)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-outerloop-plan"] == "weather_agent,flight_agent"
    assert answer.headers["x-outerloop-step"] == "2/2"
    (first,) = echo_agents["weather_agent"].requests()
    (last,) = echo_agents["flight_agent"].requests()
    assert first.header("x-outerloop-step") == "1/2"
    inserted, _ = json.loads(last.body)["messages"]
    assert inserted == {"role": "assistant", "name": "weather_agent", "content": "It rains."}


def test_healthz_does_not_need_the_processor(http: httpx.Client, travel: Gateway) -> None:
    travel.stop_serving()
    try:
        assert http.get(f"{travel.url}/healthz").status_code == 200
    finally:
        travel.serve()


def test_without_a_processor_nothing_passes(
    http: httpx.Client, travel: Gateway, echo_agents: dict[str, EchoAgent]
) -> None:
    for agent in echo_agents.values():
        agent.forget()
    travel.stop_serving()
    try:
        for headers in ({}, {"x-outerloop-agent": "hotel_agent"}):
            answer = http.post(travel.url + CHAT, json=asking("hello"), headers=headers)
            assert answer.status_code == 503, answer.text
            # Of a control plane that can say it; none may say anything else.
            assert answer.headers.get("x-outerloop-error") in {None, "processor_unavailable"}
            assert http.get(travel.url + CHAT, headers=headers).status_code == 503
        assert [agent.requests() for agent in echo_agents.values()] == [[], [], []]
    finally:
        travel.serve()
    travel.wait_for_agent("hotel_agent")


@dataclass
class Load:
    """Requests one after another, for as long as it runs."""

    url: str
    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def _ask(self, client: httpx.Client, number: int) -> None:
        agent = ("weather_agent", "flight_agent")[number % 2]
        answer = client.post(self.url + CHAT, json=asking("hello", model=agent))
        told = answer.headers.get("x-outerloop-agent")
        if (answer.status_code, told) == (200, agent):
            self.answers.append(agent)
        else:
            self.failures.append(f"{answer.status_code} {agent} {answer.text}")

    @contextmanager
    def running(self) -> Iterator[None]:
        over = threading.Event()

        def ask() -> None:
            with httpx.Client(timeout=60) as client:
                number = 0
                while not over.is_set():
                    try:
                        self._ask(client, number)
                    except httpx.HTTPError as error:
                        self.failures.append(repr(error))
                    number += 1

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def goes_on(self, wait: Callable[[Callable[[], bool], str], None]) -> None:
        """Wait until some requests have begun and ended from now on."""
        before = len(self.answers)
        wait(lambda: len(self.answers) > before + 20 or bool(self.failures), "requests go on")


def test_agents_come_and_go_without_a_lost_request(
    http: httpx.Client,
    gateway: Gateway,
    travel_yaml: Callable[..., str],
    echo_agents: dict[str, EchoAgent],
) -> None:
    small = travel_yaml()
    new = {"id": "rail_agent", "url": echo_agents["hotel_agent"].url}
    large = small.replace("agents:\n", f"agents:\n  - {json.dumps(new)}\n", 1).replace(
        "    agents:\n", "    agents:\n      - {id: rail_agent, description: Finds trains.}\n"
    )
    gateway.run(small)
    body = asking("hello", model="rail_agent")
    load = Load(gateway.url)
    with load.running():
        load.goes_on(gateway.eventually)
        # What can be decided has a route: those first, and last when an agent goes.
        gateway.apply(large)
        gateway.eventually(
            lambda: "rail_agent" in gateway.plane.envoy("/config_dump"), "a route to the agent"
        )
        gateway.reload(large)
        gateway.wait_for_agent("rail_agent")
        answer = http.post(gateway.url + CHAT, json=body)
        assert answer.headers["x-outerloop-agent"] == "rail_agent"
        load.goes_on(gateway.eventually)
        gateway.reload(small)
        answer = http.post(gateway.url + CHAT, json=body)
        assert answer.headers["x-outerloop-agent"] == "weather_agent"
        gateway.apply(small)
        gateway.eventually(
            lambda: "rail_agent" not in gateway.plane.envoy("/config_dump"), "no route to it"
        )
        load.goes_on(gateway.eventually)
    assert load.failures == []
    assert len(load.answers) > 60
