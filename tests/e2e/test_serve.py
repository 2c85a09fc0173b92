"""`serve` beside an Envoy of its own: what `render` prints is enough."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.gateway import DEADLINE, ENVOY, OUTERLOOP, Gateway

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process

CHAT = "/v1/chat/completions"
PATHS = (CHAT, "/v1/messages")
Refused = Callable[..., dict[str, Any]]


def conversation(agent: str) -> dict[str, Any]:
    return {"model": agent, "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def gateway(
    travel_yaml: Callable[..., str],
    tmp_path: Path,
    free_ports: Callable[[int], list[int]],
    start_process: type[Process],
) -> Iterator[Gateway]:
    gateway = Gateway(start_process, tmp_path, travel_yaml(), free_ports(3))
    yield gateway
    for process in gateway.processes:
        process.stop()


def test_requests_are_decided_and_routed(
    http: httpx.Client, gateway: Gateway, echo_agents: dict[str, EchoAgent]
) -> None:
    serve = gateway.serve()
    gateway.envoy()
    gateway.wait_healthy(1)
    lines = [line.split() for line in serve.out.lines]
    assert ["processor", f"127.0.0.1:{gateway.processor}"] in lines
    assert ["agent", "hotel_agent", echo_agents["hotel_agent"].url] in lines
    answer = http.post(gateway.url + CHAT, json=conversation("hotel_agent"))
    assert (answer.status_code, answer.json()["agent"]) == (200, "hotel_agent")
    assert serve.stop(signal.SIGINT) == 0
    assert "Traceback" not in serve.output


def test_earlier_agents_are_called_straight(
    http: httpx.Client,
    gateway: Gateway,
    refused: Refused,
    travel_yaml: Callable[..., str],
    echo_agents: dict[str, EchoAgent],
) -> None:
    """That Envoy has no egress listener; all else is as with one."""
    plan = "[weather_agent, flight_agent, hotel_agent]"
    gateway.yaml = travel_yaml(f"rules: [{{when: {{headers: {{x-all: x}}}}, agents: {plan}}}]")
    gateway.serve()
    gateway.envoy()
    gateway.wait_healthy(1)
    for agent in echo_agents.values():
        agent.forget()
    said = {"choices": [{"message": {"role": "assistant", "content": "said"}}]}
    wish = {"x-all": "x", "x-test-body": json.dumps(json.dumps(said)), "authorization": "Bearer k"}
    body = {"messages": [{"role": "user", "content": "hello"}]}
    answer = http.post(gateway.url + CHAT + "?k=%2F", json=body, headers=wish)
    assert (answer.status_code, answer.json()) == (200, said)
    for step, agent in enumerate(echo_agents.values(), 1):
        [got] = agent.requests()
        assert got.target == CHAT + "?k=%2F"
        assert got.header("x-outerloop-step") == f"{step}/3"
        assert got.header("authorization") == "Bearer k"
        assert len(json.loads(got.body)["messages"]) == step
    answer = http.post(gateway.url + CHAT, json=body, headers=wish | {"x-test-status": "500"})
    error = refused(answer, CHAT, 502, "step_failed")
    assert (error["agent"], error["upstream_status"]) == ("weather_agent", 500)


def test_without_a_processor_nothing_passes(
    http: httpx.Client, gateway: Gateway, refused: Refused, echo_agents: dict[str, EchoAgent]
) -> None:
    gateway.envoy()
    gateway.wait_healthy(0)
    echo_agents["hotel_agent"].forget()
    answer = http.post(gateway.url + CHAT, json=conversation("hotel_agent"))
    refused(answer, CHAT, 503, "processor_unavailable")
    assert echo_agents["hotel_agent"].requests() == []
    gateway.serve()
    gateway.wait_healthy(1)
    answer = http.post(gateway.url + CHAT, json=conversation("hotel_agent"))
    assert answer.status_code == 200


def test_a_drained_processor_serves_on_until_envoy_knows(
    http: httpx.Client, gateway: Gateway
) -> None:
    serve = gateway.serve()
    gateway.envoy()
    gateway.wait_healthy(1)
    serve.popen.send_signal(signal.SIGTERM)
    while serve.popen.poll() is None:
        answer = http.post(gateway.url + CHAT, json=conversation("hotel_agent"))
        # It may end between two looks, but not while it still serves.
        assert answer.status_code == 200 or serve.popen.wait(DEADLINE) == 0
    assert serve.popen.returncode == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.slow
def test_an_agent_that_envoy_does_not_know(
    http: httpx.Client,
    gateway: Gateway,
    refused: Refused,
    travel_yaml: Callable[..., str],
    path: str,
) -> None:
    newer = travel_yaml().replace("hotel_agent", "newer_agent")
    gateway.serve(newer)
    gateway.envoy()
    gateway.wait_healthy(1)
    answer = http.post(gateway.url + path, json=conversation("newer_agent"))
    refused(answer, path, 503, "no_route")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.slow
def test_a_body_mode_that_cannot_work(
    http: httpx.Client, gateway: Gateway, refused: Refused, path: str
) -> None:
    gateway.serve()
    gateway.envoy(
        lambda text: text.replace("request_body_mode: BUFFERED", "request_body_mode: STREAMED")
    )
    gateway.wait_healthy(1)
    answer = http.post(gateway.url + path, json=conversation("hotel_agent"))
    error = refused(answer, path, 500, "internal_error")
    assert "BUFFERED" in error["message"]


@pytest.mark.slow
def test_an_envoy_that_reads_a_folder(
    http: httpx.Client, gateway: Gateway, echo_agents: dict[str, EchoAgent]
) -> None:
    """And reads it again: what is rendered into it once more is in force without a restart."""
    gateway.yaml += f"deploy: {{processor: {{addresses: ['127.0.0.1:{gateway.processor}']}}}}\n"
    gateway.serve()
    folder = gateway.folder / "xds"

    def render(yaml: str) -> None:
        file = gateway.folder / "rendered.yaml"
        file.write_text(yaml.replace("port: 0", f"port: {gateway.listener}"))
        render = [OUTERLOOP, "render", "-c", str(file), "--target", "xds", "-o", str(folder)]
        process = gateway.run(*render)
        assert process.popen.wait(DEADLINE) == 0, process.output
        admin = folder / "bootstrap.yaml"
        admin.write_text(
            admin.read_text().replace("port_value: 9901", f"port_value: {gateway.admin}")
        )

    render(gateway.yaml)
    gateway.run(ENVOY, "-c", str(folder / "bootstrap.yaml"), "--disable-hot-restart", "-l", "error")
    gateway.wait_healthy(1)
    answer = http.post(gateway.url + CHAT, json=conversation("hotel_agent"))
    assert (answer.status_code, answer.json()["agent"]) == (200, "hotel_agent")
    hotel, flight = echo_agents["hotel_agent"], echo_agents["flight_agent"]
    render(gateway.yaml.replace(hotel.url, flight.url))
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        answer = http.post(gateway.url + CHAT, json=conversation("hotel_agent"))
        assert answer.status_code == 200
        if answer.json()["agent"] == "flight_agent":
            return
        time.sleep(0.1)
    raise AssertionError("what was rendered again is not in force")
