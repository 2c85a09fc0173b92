"""Variants of an agent by what Envoy counts: `/metrics`, `/variants` and the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process, Stack

OUTERLOOP = str(Path(sys.executable).parent / "outerloop")
REQUESTS = 100
DEADLINE = 60.0
YAML = """
version: v1
agents:
  - id: hotel_agent
    variants:
      - {{id: stable, weight: 80, url: "{stable}"}}
      - {{id: canary, weight: 20, url: "{canary}"}}
  - {{id: weather_agent, url: "{weather}"}}
  - {{id: flight_agent, url: "{flight}"}}
listeners:
  - type: agent
    name: travel
    port: 0
    agents:
      - {{id: hotel_agent, description: Finds and books hotels., default: true}}
      - {{id: weather_agent, description: Weather forecasts for any city.}}
      - {{id: flight_agent, description: Finds and books flights.}}
"""


class Failing(BaseHTTPRequestHandler):
    """An agent that answers 500."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(500)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def failing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def ask(stack: Stack, agent: str, headers: Mapping[str, str] | None = None) -> int:
    body = {"model": agent, "messages": [{"role": "user", "content": "hello"}]}
    url = f"{stack.url}/v1/chat/completions"
    return httpx.post(url, json=body, headers=headers, timeout=30).status_code


def variants(*options: str) -> subprocess.CompletedProcess[str]:
    command = [OUTERLOOP, "variants", *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in result.stdout + result.stderr
    return result


def metrics(stack: Stack) -> str:
    response = httpx.get(f"{stack.admin}/metrics", timeout=20)
    assert response.status_code == 200
    return response.text


def rows(stack: Stack) -> dict[tuple[str, str | None], dict[str, Any]]:
    listed = httpx.get(f"{stack.admin}/variants", timeout=20).json()
    return {(row["agent"], row["variant"]): row for row in listed}


def timed(stack: Stack, variant: str) -> float:
    name = f'outerloop_agent_response_seconds_count{{agent="hotel_agent",variant="{variant}"}} '
    [line] = [line for line in metrics(stack).splitlines() if line.startswith(name)]
    return float(line.removeprefix(name))


@pytest.fixture(scope="module")
def stack(
    run_module_stack: Callable[..., Stack],
    echo_agents: dict[str, EchoAgent],
    failing: str,
    free_ports: Callable[[int], list[int]],
) -> Stack:
    """A stable and a broken variant, an agent that answers, and one that nobody runs."""
    return run_module_stack(
        YAML.format(
            stable=echo_agents["hotel_agent"].url,
            canary=failing,
            weather=echo_agents["weather_agent"].url,
            flight=f"http://127.0.0.1:{free_ports(1)[0]}",
        )
    )


@pytest.fixture(scope="module")
def answered(stack: Stack) -> Counter[int]:
    """Statuses of requests to the variants, once Envoy tells their times too."""
    statuses = Counter(ask(stack, "hotel_agent") for _ in range(REQUESTS))
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if sum(timed(stack, variant) for variant in ("stable", "canary")) == REQUESTS:
            return statuses
        time.sleep(0.2)
    raise AssertionError(metrics(stack))


def test_each_variant_has_its_answers(stack: Stack, answered: Counter[int]) -> None:
    assert set(answered) == {200, 500}
    shown = metrics(stack).splitlines()
    for variant, status_class, count in (
        ("stable", "2xx", answered[200]),
        ("stable", "5xx", 0),
        ("canary", "2xx", 0),
        ("canary", "5xx", answered[500]),
    ):
        name = f'agent="hotel_agent",status_class="{status_class}",variant="{variant}"'
        assert f"outerloop_agent_responses_total{{{name}}} {count}.0" in shown
    for variant, count in (("stable", answered[200]), ("canary", answered[500])):
        name = f'{{agent="hotel_agent",variant="{variant}"}}'
        assert f"outerloop_agent_response_seconds_count{name} {count}.0" in shown
        last = f'agent="hotel_agent",le="600.0",variant="{variant}"'
        assert f"outerloop_agent_response_seconds_bucket{{{last}}} {count}.0" in shown
        for state in ("healthy", "total"):
            name = f'agent="hotel_agent",state="{state}",variant="{variant}"'
            assert f"outerloop_agent_hosts{{{name}}} 1.0" in shown


def test_agents_without_variants_and_errors_of_envoy(stack: Stack) -> None:
    before = rows(stack)
    assert ask(stack, "weather_agent", {"x-test-status": "404"}) == 404
    assert ask(stack, "flight_agent") == 503
    after = rows(stack)
    weather, flight = ("weather_agent", None), ("flight_agent", None)
    assert after[weather]["requests"] == before[weather]["requests"] + 1
    assert after[weather]["errors"] == before[weather]["errors"]
    # It was tried again; the client had one answer.
    assert after[flight]["requests"] == before[flight]["requests"] + 1
    assert after[flight]["errors"] == before[flight]["errors"] + 1


def test_a_request_without_end_is_not_answered(stack: Stack) -> None:
    name = ("weather_agent", None)
    before = rows(stack)[name]
    body = {"model": "weather_agent", "messages": [{"role": "user", "content": "hello"}]}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{stack.url}/v1/chat/completions",
            json=body,
            headers={"x-test-hold": "now"},
            timeout=1,
        )
    assert rows(stack)[name]["requests"] == before["requests"]


def test_the_command_shows_which_fails(stack: Stack, answered: Counter[int]) -> None:
    address = stack.admin.removeprefix("http://")
    result = variants("--admin", address)
    assert (result.returncode, result.stderr) == (0, "")
    head, canary, stable, words = result.stdout.splitlines()
    assert head.split()[:3] == ["agent", "variant", "requests"]
    count = str(answered[500])
    assert canary.split()[:6] == ["hotel_agent", "canary", count, count, "100.00", "%"]
    assert stable.split()[:4] == ["hotel_agent", "stable", str(answered[200]), "0"]
    assert words.startswith("  canary fails more often than stable, beyond chance (")

    listed = json.loads(variants("--admin", address, "--json").stdout)
    assert [row["variant"] for row in listed] == ["canary", "stable"]
    assert listed[1]["error_rate"] == listed[1]["error_rate_low"] == 0
    assert 0 < listed[1]["error_rate_high"] < 0.1
    assert listed[1]["p50_ms"] <= listed[1]["p95_ms"]
    listed = json.loads(variants("--admin", address, "--json", "--all").stdout)
    assert [row["variant"] for row in listed if row["agent"] == "weather_agent"] == [None]


def test_an_envoy_that_hangs_only_leaves_its_figures_out(stack: Stack) -> None:
    envoy = stack.ready()["envoy"]["pid"]
    os.kill(envoy, signal.SIGSTOP)
    try:
        shown = metrics(stack)
        assert "outerloop_inflight_requests" in shown
        assert "outerloop_agent_" not in shown
        result = variants("--admin", stack.admin.removeprefix("http://"))
        assert (result.returncode, result.stdout) == (1, "")
        assert "Envoy" in result.stderr
    finally:
        os.kill(envoy, signal.SIGCONT)
    assert "outerloop_agent_responses_total" in metrics(stack)


def test_beside_a_gateway_there_is_nothing_to_tell(
    start_process: type[Process], tmp_path: Path, travel_yaml: Callable[..., str], free_port: int
) -> None:
    file = tmp_path / "outerloop.yaml"
    file.write_text(travel_yaml())
    process = start_process(
        *(OUTERLOOP, "serve", "-c", str(file), "--bind", f"127.0.0.1:{free_port}"),
        *("--admin", "127.0.0.1:0"),
    )
    try:
        admin = process.wait_line(lambda line: line.startswith("admin ")).split()[-1]
        assert "outerloop_agent_" not in httpx.get(f"{admin}/metrics", timeout=20).text
        assert httpx.get(f"{admin}/variants", timeout=20).status_code == 404
        result = variants("--admin", admin.removeprefix("http://"))
        assert (result.returncode, result.stdout) == (1, "")
        assert "Envoy is not ours" in result.stderr
    finally:
        process.stop()
    result = variants("--admin", admin.removeprefix("http://"))
    assert result.returncode == 1
    assert "no stack answers" in result.stderr
