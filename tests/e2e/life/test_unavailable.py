"""Requests without the processor, and decisions that leave out agents which are down."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Seen, Stack
    from tests.e2e.life.conftest import Host

CHAT: Final = "/v1/chat/completions"
MESSAGES: Final = "/v1/messages"
RESPONSES: Final = "/v1/responses"
PATHS: Final = [CHAT, MESSAGES, RESPONSES]
OUTERLOOP: Final = str(Path(sys.executable).parent / "outerloop")
DEADLINE: Final = 60.0
YAML = """
version: v1
agents:
  - {{id: weather, url: "{weather}/w", access_key: sk-weather, headers: {{x-team: red}},
      health_check: {{path: /healthz, interval: 500ms}}}}
  - {{id: flight, url: "{flight}"}}
  - {{id: hotel, url: "{hotel}"}}
  - {{id: down, url: "http://127.0.0.1:1", fallback: hotel}}
  - {{id: down_again, url: "http://127.0.0.1:1", fallback: modelled}}
  - {{id: modelled, url: "{hotel}", model: small}}
listeners:
  - name: lenient
    port: 0
    decision_timeout: 1s
    on_unavailable: default_agent
    agents:
      - {{id: flight, description: Finds and books flights.}}
      - {{id: weather, description: Weather forecasts for any city., default: true}}
  - name: strict
    port: 0
    decision_timeout: 1s
    agents: [{{id: flight, description: Flights.}}, {{id: weather, description: Weather.}}]
  - {{name: taken_over, port: 0, on_unavailable: default_agent,
      agents: [{{id: down}}, {{id: flight}}]}}
  - {{name: lost, port: 0, on_unavailable: default_agent,
      agents: [{{id: down_again}}, {{id: flight}}]}}
observability: {{response_headers: full}}
{more}
"""
WEATHER: Final = "What will the weather be in Oslo?"
FLIGHT: Final = "Book me a flight to Oslo."

Refused = Callable[..., dict[str, Any]]
numbers = itertools.count()


@pytest.fixture(scope="module")
def weather(run_host: Callable[[str], Host]) -> Host:
    return run_host("weather")


@pytest.fixture(scope="module")
def yaml(weather: Host, echo_agents: dict[str, EchoAgent]) -> Callable[[str], str]:
    flight, hotel = (echo_agents[f"{each}_agent"].url for each in ("flight", "hotel"))
    return lambda more: YAML.format(weather=weather.url, flight=flight, hotel=hotel, more=more)


@pytest.fixture(scope="module")
def stack(run_module_stack: Callable[..., Stack], yaml: Callable[[str], str]) -> Stack:
    return run_module_stack(yaml(""), "--workers", "2")


def body_for(text: str, model: str = "any") -> bytes:
    """Return a body of all three APIs."""
    said = b'[{"role":"user","content":"%s"}]' % text.encode()
    return b'{"model":"%s", "messages" :%s, "input":%s,"n":1.0 }' % (model.encode(), said, said)


class Asking:
    def __init__(self, http: httpx.Client, stack: Stack) -> None:
        self.http, self.stack = http, stack

    def workers(self) -> set[int]:
        """Return those that serve."""
        workers = self.stack.ready()["workers"]
        return {worker["pid"] for worker in workers if worker["status"] == "ready"}

    def __call__(
        self,
        listener: str = "lenient",
        path: str = CHAT,
        text: str = FLIGHT,
        model: str = "any",
        **headers: str,
    ) -> httpx.Response:
        return self.http.post(
            self.stack.listeners[listener] + path,
            content=body_for(text, model),
            headers={
                "x-request-id": f"{time.monotonic_ns()}-{next(numbers)}",
                "authorization": "Bearer callers",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )


@pytest.fixture
def ask(http: httpx.Client, stack: Stack) -> Asking:
    return Asking(http, stack)


def told(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    header = answer.headers.get
    return answer.status_code, header("x-outerloop-agent"), header("x-outerloop-source")


DECIDED: Final = (200, "flight", "embedded")
UNDECIDED: Final = (200, "weather", "fallback")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def without_workers(ask: Asking, number: signal.Signals) -> Iterator[None]:
    """Stop or kill all workers, and keep the supervisor from mending it until the end."""
    until(lambda: told(ask()) == DECIDED)
    supervisor, pids = ask.stack.process.popen, ask.workers()
    assert len(pids) == 2
    supervisor.send_signal(signal.SIGSTOP)
    try:
        for pid in pids:
            os.kill(pid, number)
        yield
    finally:
        if number is signal.SIGSTOP:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        supervisor.send_signal(signal.SIGCONT)
    if number is signal.SIGKILL:
        until(lambda: len(ask.workers()) == 2 and pids.isdisjoint(ask.workers()))
    # Decisions are made again.
    until(lambda: told(ask()) == DECIDED)


@pytest.fixture(params=[signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def unavailable(request: pytest.FixtureRequest, ask: Asking) -> Iterator[bool]:
    """Have no worker; tell whether they only stand still."""
    with without_workers(ask, request.param):
        yield request.param is signal.SIGSTOP


OTHERS: Final = [
    ("GET", "/v1/models"),
    ("POST", "/v1/embeddings"),
    ("GET", CHAT),
    ("PUT", MESSAGES),
    ("POST", "/"),
]


def of_ours(seen: Seen) -> dict[str, str]:
    ours = [each for each in seen.headers if each[0].startswith("x-outerloop-")]
    assert len(ours) == len(dict(ours))
    return dict(ours)


@pytest.mark.usefixtures("unavailable")
def test_the_default_agent_gets_what_nobody_could_decide(ask: Asking, weather: Host) -> None:
    weather.requests()
    # Nothing that a client says of a decision counts, nor does the model it asks for.
    forged = {"model": "flight", "x_outerloop_agent": "flight", "x_outerloop_source": "rule"}
    # All at once, as each waits for workers that stand still.
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda path: ask(path=path, **forged), PATHS))
    for path, answer in zip(PATHS, answers, strict=True):
        assert told(answer) == UNDECIDED
        assert answer.headers.get_list("x-outerloop-plan") == ["weather"]
        line = ask.stack.access_log(answer.headers["x-request-id"])
        assert (line["agent"], line["plan"], line["source"]) == ("weather", "weather", "fallback")
        assert (line["status"], line["error"], line["path"]) == (200, None, path)
    got = {seen.target: seen for seen in weather.requests()}
    assert got.keys() == {f"/w{path}" for path in PATHS}
    for target, seen in got.items():
        assert seen.body == body_for(FLIGHT, "flight")
        assert of_ours(seen) == {
            "x-outerloop-agent": "weather",
            "x-outerloop-plan": "weather",
            "x-outerloop-source": "fallback",
            "x-outerloop-step": "1/1",
            "x-outerloop-listener": "lenient",
        }
        key = ([], ["sk-weather"]) if target.endswith(MESSAGES) else (["Bearer sk-weather"], [])
        assert (seen.all("authorization"), seen.all("x-api-key")) == key
        assert seen.all("x-team") == ["red"]


def test_all_else_fails_as_ever(ask: Asking, refused: Refused, unavailable: bool) -> None:
    requests = [
        *(("lenient", method, path) for method, path in OTHERS),
        *(("strict", "POST", path) for path in PATHS),
    ]

    def send(request: tuple[str, str, str]) -> httpx.Response:
        listener, method, path = request
        url, body = ask.stack.listeners[listener] + path, body_for(FLIGHT)
        return ask.http.request(method, url, content=body if method == "POST" else None)

    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(send, requests))
    for (_, _, path), answer in zip(requests, answers, strict=True):
        # Workers that stand still are waited for, until Envoy knows that they do.
        late = unavailable and answer.status_code == 504
        code = (504, "decision_timeout") if late else (503, "processor_unavailable")
        refused(answer, path, *code)
    assert ask.http.get(f"{ask.stack.listeners['lenient']}/healthz").status_code == 200


def test_another_agent_takes_over_for_the_default_one(ask: Asking, refused: Refused) -> None:
    with without_workers(ask, signal.SIGKILL):
        answer = ask("taken_over")
        line = ask.stack.access_log(answer.headers["x-request-id"])
        without_model = ask("lost")
    assert told(answer) == (200, "hotel", "fallback")
    assert answer.headers.get_list("x-outerloop-plan") == ["down"]
    assert (line["agent"], line["plan"], line["source"]) == ("hotel", "down", "fallback")
    # Only the processor could put the model of that one into the body.
    refused(without_model, CHAT, 503, "processor_unavailable")
    assert told(ask("lost", model="down_again"))[:2] == (200, "modelled")


def test_a_body_over_the_limit_is_refused_all_the_same(ask: Asking, refused: Refused) -> None:
    with without_workers(ask, signal.SIGKILL):
        url = ask.stack.listeners["lenient"] + CHAT
        answer = ask.http.post(url, content=b" " * (32 * 2**20 + 1))
        refused(answer, CHAT, 413, "request_too_large")


CHECKED: Final = """
version: v1
agents:
  - {id: a, url: "http://127.0.0.1:1"}
  - {id: m, url: "http://127.0.0.1:2", model: small}
filters: [{id: guard, type: builtin, use: limits, options: {max_chars: 9}}]
listeners:
  - {name: l0, port: 0, on_unavailable: default_agent, agents: [{id: a}], input_filters: [guard]}
  - {name: l1, port: 0, on_unavailable: default_agent, agents: [{id: a}], output_filters: [guard]}
  - {name: l2, port: 0, on_unavailable: default_agent, agents: [{id: a, input_filters: [guard]}]}
  - {name: l3, port: 0, on_unavailable: default_agent,
     agents: [{id: m}, {id: a, default: true, output_filters: [guard]}]}
  - {name: l4, port: 0, on_unavailable: default_agent, agents: [{id: m}, {id: a}]}
  - {name: l5, port: 0, on_unavailable: default_agent, agents: [{id: a}, {id: m, default: true}]}
  # As it should be: what is filtered, or has a model, is not what gets everything.
  - {name: l6, port: 0, on_unavailable: default_agent,
     agents: [{id: m, input_filters: [guard]}, {id: a, default: true}]}
  - {name: l7, port: 0, input_filters: [guard], agents: [{id: m}]}
"""


def test_nothing_passes_round_filters_or_without_its_model(tmp_path: Path) -> None:
    file = tmp_path / "outerloop.yaml"
    file.write_text(CHECKED)
    check = subprocess.run(
        [OUTERLOOP, "check", "-c", str(file)], capture_output=True, text=True, check=False
    )
    assert check.returncode == 1
    lines = (check.stdout + check.stderr).splitlines()
    faults = [line.partition("listeners")[2] for line in lines if "on_unavailable" in line]
    assert [(fault[1], "filters" in fault, "`model`" in fault) for fault in faults] == [
        *((number, True, False) for number in "0123"),
        *((number, False, True) for number in "45"),
    ]


async def test_an_agent_that_is_down_is_left_out_where_it_is_asked_for(
    ask: Asking,
    yaml: Callable[[str], str],
    weather: Host,
    reload: Callable[[str], Awaitable[None]],
    healthy: Callable[[str], float],
) -> None:
    def chosen(**how: str) -> tuple[str | None, str | None]:
        return told(ask(text=WEATHER, **how))[1:]

    until(lambda: chosen() == ("weather", "embedded"))
    weather.health(503)
    try:
        until(lambda: healthy("weather") == 0)
        # The default: what is decided does not depend on who is well.
        assert chosen() == ("weather", "embedded")
        await reload(yaml("orchestrator: {avoid_unavailable: true}"))
        until(lambda: chosen()[0] == "flight")
        # Who asks for it by its name gets it, well or not.
        assert chosen(model="weather") == ("weather", "explicit")
        weather.health(200)
        until(lambda: chosen()[0] == "weather")
        log = ask.stack.process.output
        assert "agent weather has no healthy host" in log
        assert "agent weather has healthy hosts again" in log
    finally:
        weather.health(200)
        await reload(yaml(""))
