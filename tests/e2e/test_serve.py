"""`serve` beside an Envoy of its own: what `render` prints is enough."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process

BIN = Path(sys.executable).parent
OUTERLOOP = str(BIN / "outerloop")
ENVOY = shutil.which("envoy") or str(BIN / "envoy")
CHAT = "/v1/chat/completions"
DEADLINE = 60.0
Refused = Callable[..., dict[str, Any]]
Edit = Callable[[str], str]


def conversation(agent: str) -> dict[str, Any]:
    return {"model": agent, "messages": [{"role": "user", "content": "hello"}]}


class Gateway:
    """A plain Envoy with the rendered bootstrap, and `serve`, on ports of their own."""

    def __init__(self, start: type[Process], folder: Path, yaml: str, ports: list[int]) -> None:
        self.start, self.folder, self.yaml = start, folder, yaml
        self.listener, self.processor, self.admin = ports
        self.processes: list[Process] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener}"

    def run(self, *argv: str) -> Process:
        self.processes.append(self.start(*argv))
        return self.processes[-1]

    def envoy(self, edit: Edit = str) -> None:
        file = self.folder / "rendered.yaml"
        file.write_text(self.yaml.replace("port: 0", f"port: {self.listener}"))
        rendered = subprocess.run(
            [OUTERLOOP, "render", "-c", file, "--target", "bootstrap"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        ports = rendered.replace("port_value: 9001", f"port_value: {self.processor}")
        bootstrap = self.folder / "envoy.yaml"
        bootstrap.write_text(edit(ports.replace("port_value: 9901", f"port_value: {self.admin}")))
        self.run(ENVOY, "-c", str(bootstrap), "--disable-hot-restart", "-l", "error")

    def serve(self, yaml: str | None = None, *options: str) -> Process:
        file = self.folder / "outerloop.yaml"
        file.write_text(yaml or self.yaml)
        bind = f"127.0.0.1:{self.processor}"
        process = self.run(
            *(OUTERLOOP, "serve", "-c", str(file), "--bind", bind),
            *("--admin", "127.0.0.1:0", *options),
        )
        process.wait_line(lambda line: line.startswith("admin "))
        return process

    def wait_healthy(self, workers: int) -> None:
        """Wait until Envoy sees that many workers."""
        url = f"http://127.0.0.1:{self.admin}/stats?filter=cluster.processor.membership_healthy"
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            with suppress(httpx.TransportError):
                if httpx.get(url).text.strip().endswith(f": {workers}"):
                    return
            time.sleep(0.1)
        raise AssertionError(f"not {workers} healthy workers")


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


@pytest.mark.parametrize("path", [CHAT, "/v1/messages"])
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


@pytest.mark.parametrize("path", [CHAT, "/v1/messages"])
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
