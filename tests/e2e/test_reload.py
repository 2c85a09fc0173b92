"""A file that changes while the stack runs."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Stack

CHAT = "/v1/chat/completions"
DEADLINE = 30.0
YAML = """
version: v1
agents:
  - {{id: stays, url: "{hotel_agent}"}}
  - {{id: {other}, url: "{flight_agent}"}}
listeners:
  - {{name: l, port: 0, agents: [{{id: stays, default: true}}, {{id: {other}}}]}}
"""


class Reloaded:
    """A stack whose file is written anew."""

    def __init__(self, stack: Stack, http: httpx.Client, agents: dict[str, EchoAgent]) -> None:
        self.stack = stack
        self.http = http
        self.urls = {name: agent.url for name, agent in agents.items()}
        argv = stack.process.popen.args
        assert isinstance(argv, tuple)
        self.file = Path(argv[argv.index("-c") + 1])

    def write(self, text: str) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file)

    def yaml(self, other: str) -> str:
        return YAML.format(other=other, **self.urls)

    def config(self) -> dict[str, Any]:
        told: dict[str, Any] = self.http.get(f"{self.stack.admin}/config").json()
        return told

    def until(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end = time.monotonic() + DEADLINE
        while not is_so(told := self.config()):
            assert time.monotonic() < end, told
            time.sleep(0.05)
        return told

    def ask(self, agent: str, **headers: str) -> httpx.Response:
        body = {"model": agent, "messages": [{"role": "user", "content": "hello"}]}
        return self.http.post(self.stack.url + CHAT, json=body, headers=headers)

    def agents(self) -> set[str]:
        listed = self.http.get(f"{self.stack.url}/v1/models").json()["data"]
        return {each["id"] for each in listed} & {"stays", "one", "two", "three"}


@pytest.fixture(scope="module")
def reloaded(
    run_module_stack: Callable[..., Stack], echo_agents: dict[str, EchoAgent]
) -> Iterator[Reloaded]:
    urls = {name: agent.url for name, agent in echo_agents.items()}
    stack = run_module_stack(YAML.format(other="one", **urls), "--workers", "2")
    with httpx.Client(timeout=DEADLINE) as client:
        yield Reloaded(stack, client, echo_agents)


def test_an_agent_comes_and_one_goes_and_a_stream_runs_on(
    reloaded: Reloaded, echo_agents: dict[str, EchoAgent]
) -> None:
    generation = reloaded.config()["generation"]
    assert reloaded.ask("one").json()["agent"] == "flight_agent"
    body = {"model": "one", "messages": [{"role": "user", "content": "hello"}]}
    held = {"x-request-id": "over-a-reload", "x-test-sse": "3,0", "x-test-hold": "now"}
    url = reloaded.stack.url + CHAT
    with reloaded.http.stream("POST", url, json=body, headers=held) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        reloaded.write(reloaded.yaml("two"))
        told = reloaded.until(lambda told: told["generation"] == generation + 1)
        assert told["last_reload"]["outcome"] == "applied"
        assert reloaded.ask("two").json()["agent"] == "flight_agent"
        assert reloaded.agents() == {"stays", "two"}
        # Nobody by that name: the default agent gets it.
        assert reloaded.ask("one").json()["agent"] == "hotel_agent"
        echo_agents["flight_agent"].release("over-a-reload")
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert reloaded.stack.ready()["generation"] == generation + 1


@pytest.mark.parametrize(
    ("break_it", "fault"),
    [
        (lambda yaml: yaml.replace("version: v1", "version: v9"), "version"),
        (lambda yaml: yaml.replace("id: stays, url", "id: stays, urls"), "urls"),
        (lambda yaml: yaml[: len(yaml) // 2] + "\n  }", "outerloop"),
        (lambda yaml: yaml.replace("port: 0", "port: 0, tls: {certificate: no.pem, key: k}"), "no"),
    ],
)
def test_a_faulty_file_changes_nothing(
    reloaded: Reloaded, break_it: Callable[[str], str], fault: str
) -> None:
    yaml = reloaded.file.read_text()
    before = reloaded.config()
    reloaded.write(break_it(yaml))
    told = reloaded.until(lambda told: told["last_reload"] != before["last_reload"])
    assert told["last_reload"]["outcome"] == "rejected"
    assert fault in "\n".join(told["last_reload"]["errors"])
    assert (told["generation"], told["config"]) == (before["generation"], before["config"])
    assert reloaded.ask("stays").json()["agent"] == "hotel_agent"
    reloaded.write(yaml)
    reloaded.until(lambda told: told["generation"] == before["generation"] + 1)


def test_a_signal_reads_the_file_again(reloaded: Reloaded) -> None:
    generation = reloaded.config()["generation"]
    reloaded.stack.process.popen.send_signal(signal.SIGHUP)
    told = reloaded.until(lambda told: told["generation"] == generation + 1)
    assert told["last_reload"]["outcome"] == "applied"


def test_a_listener_comes_and_goes(reloaded: Reloaded, free_port: int) -> None:
    generation = reloaded.config()["generation"]
    yaml = reloaded.file.read_text()
    more = f"  - {{name: other, port: {free_port}, agents: [{{id: stays}}]}}\n"
    reloaded.write(yaml + more)
    reloaded.until(lambda told: told["generation"] == generation + 1)
    body = {"messages": [{"role": "user", "content": "hello"}]}
    url = f"http://127.0.0.1:{free_port}{CHAT}"
    assert reloaded.http.post(url, json=body).json()["agent"] == "hotel_agent"
    reloaded.write(yaml)
    reloaded.until(lambda told: told["generation"] == generation + 2)
    end = time.monotonic() + DEADLINE
    while _answers(url, body):
        assert time.monotonic() < end
        time.sleep(0.05)


def _answers(url: str, body: dict[str, Any]) -> bool:
    try:
        httpx.post(url, json=body, timeout=DEADLINE)
    except httpx.TransportError:
        return False
    return True
