"""`/metrics` beside known traffic of two workers: all of it is counted, and nothing else."""

from __future__ import annotations

import json
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.conftest import SUPPORT, start
from tests.e2e.exposition import Key, counted, eventually, key, samples

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process, Stack

CHAT = "/v1/chat/completions"
YAML = """
version: v1
agents:
  - {{id: weather_agent, url: "{weather}"}}
  - id: flight_agent
    variants:
      - {{id: stable, weight: 50, url: "{flight}"}}
      - {{id: canary, weight: 50, url: "{flight}"}}
  - id: hotel_agent
    url: "{hotel}"
    retries: {{num_retries: 2, retry_on: [429]}}
    outlier_detection: {{consecutive_gateway_failure: 0}}
  - {{id: gone_agent, url: "{gone}"}}
  - {{id: narrow_agent, url: "{hotel}", circuit_breaker: {{max_requests: 1}}}}
filters:
  - {{id: length, type: builtin, use: limits, options: {{max_chars: 100}}}}
  - {{id: remote, type: http, url: "{filters}"}}
listeners:
  - type: agent
    name: front
    port: 0
    input_filters: [length]
    rules: [{{when: {{headers: {{x-test-plan: two}}}}, agents: [weather_agent, flight_agent]}}]
    agents:
      - {{id: weather_agent, default: true}}
      - {{id: flight_agent}}
      - {{id: hotel_agent}}
      - {{id: gone_agent}}
      - {{id: narrow_agent}}
  - type: agent
    name: side
    port: 0
    agents: [{{id: hotel_agent, input_filters: [remote]}}]
observability: {{response_headers: full, access_log: null}}
"""
SAID = json.dumps(
    json.dumps(
        {
            "choices": [{"message": {"content": "hi"}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 5},
        }
    )
)


class Traffic:
    """Sends requests, and keeps what is to be counted of them."""

    def __init__(self, stack: Stack, file: Path) -> None:
        self.stack = stack
        self.file = file
        self.wanted: Counter[Key] = Counter()

    def send(self, listener: str, agent: str, text: str = "hello", **wish: str) -> httpx.Response:
        headers = {f"x-{name.replace('_', '-')}": value for name, value in wish.items()}
        body = {"model": agent, "messages": [{"role": "user", "content": text}]}
        url = self.stack.listeners[listener] + CHAT
        return httpx.post(url, json=body, headers=headers, timeout=30)

    def count(self, name: str, times: int = 1, /, **labels: str) -> None:
        self.wanted[key(f"outerloop_{name}", **labels)] += times

    def decided(
        self, agent: str, outcome: str = "routed", listener: str = "front", source: str = "explicit"
    ) -> None:
        """Count a decision, and what every request of the first listener passes."""
        labels = {"listener": listener, "agent": agent, "source": source}
        self.count("requests_total", **labels, outcome=outcome)
        self.count("decision_seconds_count", strategy=source)
        if listener == "front":
            self.count("filter_seconds_count", filter="length", outcome="passed")

    def answered(self, agent: str, variant: str = "", status: int = 200) -> None:
        """Count a whole answer of an agent."""
        labels = {"agent": agent, "variant": variant}
        self.count("agent_responses_total", **labels, status_class=f"{status // 100}xx")
        self.count("agent_response_seconds_count", **labels)
        self.count("agent_first_byte_seconds_count", **labels)

    def got(self, status: int, listener: str = "front") -> None:
        """Count what a client got."""
        status_class = f"{status // 100}xx"
        self.count("listener_responses_total", listener=listener, status_class=status_class)

    def tokens(self, agent: str, variant: str = "") -> None:
        """Count those of `SAID`."""
        labels = {"agent": agent, "variant": variant}
        self.count("agent_tokens_total", 3, **labels, direction="input")
        self.count("agent_tokens_total", 5, **labels, direction="output")


@pytest.fixture(scope="module")
def traffic(
    tmp_path_factory: pytest.TempPathFactory,
    start_process: type[Process],
    echo_agents: dict[str, EchoAgent],
    free_ports: Callable[[int], list[int]],
) -> Iterator[Traffic]:
    filters = start_process(sys.executable, str(SUPPORT / "filter_service.py"), "http")
    port = filters.wait_line(str.isdigit)
    urls = {name.removesuffix("_agent"): each.url for name, each in echo_agents.items()}
    urls |= {"gone": f"http://127.0.0.1:{free_ports(1)[0]}", "filters": f"http://127.0.0.1:{port}"}
    file = tmp_path_factory.mktemp("traffic") / "outerloop.yaml"
    file.write_text(YAML.format(**urls))
    stack = start(file, "--workers", "2")
    yield Traffic(stack, file)
    assert stack.process.stop() == 0, stack.process.output
    filters.stop()


def test_nothing_is_counted_before_there_is_any(traffic: Traffic) -> None:
    assert counted(traffic.stack.admin) == {}
    found = samples(traffic.stack.admin)
    assert found[key("outerloop_workers", status="ready")] == 2
    assert found[key("outerloop_build_info", version=version("outerloop-extproc"))] == 1
    assert found[key("outerloop_config_generation")] == 1
    assert found[key("outerloop_config_last_reload_successful")] == 1
    for limit in ("connections", "pending_requests", "requests", "retries"):
        labels = {"agent": "narrow_agent", "variant": "", "limit": limit}
        assert found[key("outerloop_agent_overflows_total", **labels)] == 0


def test_answers_of_agents(traffic: Traffic) -> None:
    for _ in range(20):
        variant = traffic.send("front", "flight_agent").headers["x-outerloop-variant"]
        traffic.decided("flight_agent")
        traffic.answered("flight_agent", variant)
        traffic.got(200)
    for status in (204, 301, 418, 500, 599):
        assert traffic.send("front", "weather_agent", test_status=str(status)).status_code == status
        traffic.decided("weather_agent")
        traffic.answered("weather_agent", status=status)
        traffic.got(status)
    # An answer without a body has no first byte.
    traffic.count("agent_first_byte_seconds_count", -1, agent="weather_agent", variant="")


def test_a_plan_and_what_its_agents_report(traffic: Traffic) -> None:
    for _ in range(3):
        answer = traffic.send("front", "any", test_plan="two", test_body=SAID)
        variant = answer.headers["x-outerloop-variant"]
        traffic.decided("flight_agent", source="rule")
        traffic.count("step_seconds_count", agent="weather_agent", outcome="ok")
        for each in (("weather_agent", ""), ("flight_agent", variant)):
            traffic.answered(*each)
            traffic.tokens(*each)
        traffic.got(200)
    answer = traffic.send(
        "front", "any", test_plan="two", test_status="500", test_at="weather_agent"
    )
    assert answer.status_code == 502
    traffic.decided("flight_agent", "error", source="rule")
    traffic.count("step_seconds_count", agent="weather_agent", outcome="failed")
    traffic.answered("weather_agent", status=500)
    traffic.got(502)


@pytest.mark.parametrize(
    ("text", "status", "outcome", "of_filter"),
    [
        ("hello", 200, "routed", "changed"),
        ("empty", 200, "routed", "passed"),
        ("refuse", 422, "rejected", "denied"),
        ("status 500", 502, "error", "failed"),
    ],
)
def test_filters(traffic: Traffic, text: str, status: int, outcome: str, of_filter: str) -> None:
    for _ in range(4):
        assert traffic.send("side", "any", text).status_code == status
        traffic.decided("hotel_agent", outcome, "side", "single")
        traffic.count("filter_seconds_count", filter="remote", outcome=of_filter)
        if outcome == "routed":
            traffic.answered("hotel_agent")
        traffic.got(status, "side")


def test_what_is_refused_before_a_decision(traffic: Traffic) -> None:
    url = traffic.stack.listeners["front"]
    refused = {"listener": "front", "agent": "", "source": "", "outcome": "rejected"}
    assert traffic.send("front", "weather_agent", "x" * 200).status_code == 403
    traffic.count("filter_seconds_count", filter="length", outcome="denied")
    assert httpx.post(url + CHAT, content=b"{").status_code == 400
    assert httpx.get(f"{url}/nowhere").status_code == 404
    traffic.count("requests_total", 3, **refused)
    traffic.count("listener_responses_total", 3, listener="front", status_class="4xx")
    # The processor's own answer, and Envoy's, which is nobody's request.
    assert httpx.get(f"{url}/v1/models").status_code == 200
    traffic.count("requests_total", **refused | {"outcome": "routed"})
    traffic.got(200)
    assert httpx.get(f"{url}/healthz").status_code == 200


def test_tries_and_limits(traffic: Traffic, echo_agents: dict[str, EchoAgent]) -> None:
    assert traffic.send("front", "hotel_agent", test_status="429").status_code == 429
    traffic.decided("hotel_agent")
    traffic.answered("hotel_agent", status=429)
    traffic.count("agent_retries_total", 2, agent="hotel_agent", variant="")
    traffic.got(429)

    assert traffic.send("front", "gone_agent").status_code == 503
    traffic.decided("gone_agent")
    no_variant = {"variant": "", "status_class": "5xx"}
    traffic.count("agent_responses_total", agent="gone_agent", **no_variant)
    traffic.count("agent_retries_total", agent="gone_agent", variant="")
    traffic.got(503)

    with ThreadPoolExecutor() as pool:
        held = pool.submit(
            traffic.send, "front", "narrow_agent", test_hold="now", request_id="held"
        )
        eventually(lambda: "held" in echo_agents["hotel_agent"].running(), True)
        assert traffic.send("front", "narrow_agent").status_code == 503
        echo_agents["hotel_agent"].release("held")
        assert held.result().status_code == 200
    traffic.decided("narrow_agent")
    traffic.decided("narrow_agent")
    traffic.answered("narrow_agent")
    traffic.count("agent_responses_total", agent="narrow_agent", **no_variant)
    traffic.count("agent_overflows_total", agent="narrow_agent", variant="", limit="requests")
    traffic.got(200)
    traffic.got(503)


def test_clients_that_leave(traffic: Traffic, echo_agents: dict[str, EchoAgent]) -> None:
    hold = {"test_hold": "now", "test_at": "weather_agent", "test_plan": "two"}
    agent = echo_agents["weather_agent"]
    leaving = (
        f"POST {CHAT} HTTP/1.1\r\nhost: a\r\nx-request-id: leaving\r\ncontent-length: {{}}\r\n"
    )
    body = json.dumps({"messages": [{"role": "user", "content": "hello"}]})
    head = leaving.format(len(body)) + "".join(
        f"x-{name.replace('_', '-')}: {value}\r\n" for name, value in hold.items()
    )
    port = int(traffic.stack.listeners["front"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"{head}\r\n{body}".encode())
        eventually(lambda: "leaving" in agent.running(), True)
        inflight = key("outerloop_inflight_requests")
        eventually(lambda: samples(traffic.stack.admin)[inflight], 1)
    eventually(lambda: "leaving" in agent.running(), False)
    traffic.decided("flight_agent", "cancelled", source="rule")

    url = traffic.stack.listeners["front"] + CHAT
    wish = {"x-request-id": "left", "x-test-sse": "2,0", "x-test-hold": "now"}
    asked = {"model": "weather_agent", "messages": [{"role": "user", "content": "hello"}]}
    with httpx.stream("POST", url, json=asked, headers=wish) as answer:
        next(answer.iter_text())
    eventually(lambda: "left" in agent.running(), False)
    traffic.decided("weather_agent")
    labels = {"agent": "weather_agent", "variant": ""}
    traffic.count("agent_responses_total", **labels, status_class="2xx")
    traffic.count("agent_first_byte_seconds_count", **labels)
    traffic.got(200)


def test_a_rejected_reload(traffic: Traffic) -> None:
    """Last but one: whoever sends more has to count it before."""
    file = traffic.file
    text = file.read_text()
    file.write_text("version: v1\nagents: []\n")
    traffic.count("config_reloads_total", outcome="rejected")
    successful = key("outerloop_config_last_reload_successful")
    eventually(lambda: samples(traffic.stack.admin)[successful], 0)
    file.write_text(text)
    traffic.count("config_reloads_total", outcome="applied")
    eventually(lambda: samples(traffic.stack.admin)[successful], 1)
    assert samples(traffic.stack.admin)[key("outerloop_config_generation")] == 2


def test_the_metrics_are_the_traffic_and_nothing_else(traffic: Traffic) -> None:
    eventually(lambda: counted(traffic.stack.admin), dict(traffic.wanted))
    found = samples(traffic.stack.admin)
    idle = ("inflight_requests", "agent_active_requests", "listener_active_requests")
    for name, _ in found:
        if name.removeprefix("outerloop_") in idle:
            assert {value for each, value in found.items() if each[0] == name} == {0}
    # Of values that are not there Envoy would log errors.
    assert "[error]" not in traffic.stack.process.output
