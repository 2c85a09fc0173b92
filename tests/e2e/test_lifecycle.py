"""`up`: ready, replaced, drained, gone."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Stack

CHAT = "/v1/chat/completions"
BODY = {"model": "hotel_agent", "messages": [{"role": "user", "content": "hello"}]}
DEADLINE = 30.0
TWO_STEPS = """
version: v1
agents: [{{id: first, url: "{weather_agent}"}}, {{id: last, url: "{hotel_agent}"}}]
listeners:
  - name: l
    port: 0
    decision_timeout: 1s
    agents: [{{id: first}}, {{id: last}}]
    rules: [{{agents: [first, last]}}]
"""
SAID = json.dumps(json.dumps({"choices": [{"message": {"role": "assistant", "content": "hi"}}]}))


def eventually(condition: Callable[[], object]) -> bool:
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def held(name: str) -> dict[str, str]:
    """Ask for a stream that waits after its first event until the test releases it."""
    return {"x-request-id": name, "x-test-sse": "3,0", "x-test-hold": "now"}


def serves(http: httpx.Client, stack: Stack) -> bool:
    with suppress(httpx.TransportError):
        return http.post(stack.url + CHAT, json=BODY).status_code == 200
    return False


def refuses_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def runs(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.fixture
def stack(run_stack: Callable[..., Stack], travel_yaml: Callable[..., str]) -> Stack:
    return run_stack(travel_yaml())


def test_the_ready_lines_name_listeners_agents_and_admin(
    travel: Stack, echo_agents: dict[str, EchoAgent]
) -> None:
    lines = [line for line in travel.process.out.lines if not line.startswith("{")]
    assert re.fullmatch(r"outerloop \S+ is ready", lines[0])
    assert lines[1].split() == ["listener", "travel", travel.url]
    agents = [line.split() for line in lines[2:5]]
    assert agents == [["agent", name, agent.url] for name, agent in echo_agents.items()]
    assert lines[5].split() == ["admin", travel.admin]
    assert len(lines) == 6
    assert travel.port > 0


def test_readyz_shows_the_processes(http: httpx.Client, travel: Stack) -> None:
    answer = http.get(f"{travel.admin}/readyz")
    assert answer.status_code == 200
    ready: dict[str, Any] = answer.json()
    (worker,) = ready.pop("workers")
    assert worker["status"] == "ready"
    assert set(worker) == {"pid", "status"}
    envoy = ready.pop("envoy")
    assert sorted((worker["pid"], envoy["pid"])) == sorted(children(travel.process.popen.pid))
    assert ready == {"status": "ready", "generation": 1}
    assert http.get(f"{travel.admin}/healthz").status_code == 200


@pytest.mark.slow
def test_several_workers_share_the_work(
    run_stack: Callable[..., Stack], travel_yaml: Callable[..., str], http: httpx.Client
) -> None:
    stack = run_stack(travel_yaml(), "--workers", "2")
    workers = stack.ready()["workers"]
    assert len({worker["pid"] for worker in workers}) == 2
    # With one of them gone the other one answers; nothing is lost meanwhile.
    os.kill(workers[0]["pid"], signal.SIGKILL)
    assert all(serves(http, stack) for _ in range(20))
    assert eventually(lambda: stack.ready()["workers"][0]["status"] == "ready")


@pytest.fixture
def two_steps(run_stack: Callable[..., Stack], echo_agents: dict[str, EchoAgent]) -> Stack:
    urls = {name: agent.url for name, agent in echo_agents.items()}
    return run_stack(TWO_STEPS.format(**urls), "--workers", "2")


def test_what_a_dying_worker_was_deciding_is_decided_by_another(
    http: httpx.Client, two_steps: Stack, echo_agents: dict[str, EchoAgent]
) -> None:
    first = echo_agents["weather_agent"]
    first.forget()
    ids = [f"again-{number}" for number in range(16)]
    said = {"x-test-at": "weather_agent", "x-test-hold": "now", "x-test-body": SAID}

    def ask(name: str) -> httpx.Response:
        return http.post(two_steps.url + CHAT, json=BODY, headers={"x-request-id": name, **said})

    with ThreadPoolExecutor(len(ids)) as pool:
        answers = [pool.submit(ask, name) for name in ids]
        assert eventually(lambda: len(first.requests()) == len(ids))
        os.kill(two_steps.ready()["workers"][0]["pid"], signal.SIGKILL)
        # Some were asked for again, but not those of the worker that lives.
        assert eventually(lambda: len(first.requests()) > len(ids))
        assert eventually(lambda: _release(first) and all(each.done() for each in answers))
    assert [each.result().status_code for each in answers] == [200] * len(ids)
    assert len(first.requests()) < 2 * len(ids)


def _release(agent: EchoAgent) -> bool:
    for name in agent.running():
        with suppress(urllib.error.HTTPError):
            agent.release(name)
    return True


@pytest.mark.slow
def test_a_worker_that_stands_still_fails_nobody(http: httpx.Client, two_steps: Stack) -> None:
    still = two_steps.ready()["workers"][0]["pid"]
    os.kill(still, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(16) as pool:
            headers = {"x-test-at": "weather_agent", "x-test-body": SAID}
            tasks = [
                pool.submit(http.post, two_steps.url + CHAT, json=BODY, headers=headers)
                for _ in range(16)
            ]
        assert [task.result().status_code for task in tasks] == [200] * 16
    finally:
        os.kill(still, signal.SIGCONT)


def test_a_worker_that_dies_is_replaced(http: httpx.Client, stack: Stack) -> None:
    (before,) = stack.ready()["workers"]
    os.kill(before["pid"], signal.SIGKILL)
    assert eventually(lambda: stack.ready()["workers"][0]["pid"] not in {before["pid"], None})
    assert eventually(lambda: stack.ready()["status"] == "ready")
    assert eventually(lambda: serves(http, stack))
    assert "worker 0 died (SIGKILL)" in stack.process.output


def test_an_envoy_that_dies_is_replaced(
    http: httpx.Client,
    run_stack: Callable[..., Stack],
    travel_yaml: Callable[..., str],
    free_port: int,
) -> None:
    stack = run_stack(travel_yaml().replace("port: 0", f"port: {free_port}"))
    before = stack.ready()["envoy"]["pid"]
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: stack.ready()["envoy"]["pid"] not in {before, None})
    assert eventually(lambda: stack.ready()["status"] == "ready")
    assert eventually(lambda: serves(http, stack))
    assert "Envoy died (SIGKILL)" in stack.process.output


@pytest.fixture
def idle(stack: Stack) -> Iterator[socket.socket]:
    """A connection that had a request, and stays open."""
    with socket.create_connection(("127.0.0.1", stack.port)) as connection:
        assert health(connection) == 200
        yield connection


def health(connection: socket.socket) -> int:
    connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    return int(connection.recv(2**16).split()[1])


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_running_requests_finish(
    http: httpx.Client,
    stack: Stack,
    echo_agents: dict[str, EchoAgent],
    number: signal.Signals,
) -> None:
    name = f"running-{number.name}"
    with http.stream("POST", stack.url + CHAT, json=BODY, headers=held(name)) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        stack.process.popen.send_signal(number)
        assert eventually(lambda: refuses_connections(stack.port))
        assert stack.process.popen.poll() is None
        assert stack.ready()["status"] == "draining"
        echo_agents["hotel_agent"].release(name)
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert stack.process.popen.wait(DEADLINE) == 0
    assert "cut" not in stack.process.output
    assert "Traceback" not in stack.process.output


@pytest.mark.slow
def test_an_open_connection_is_told_that_the_stack_drains(
    stack: Stack, http: httpx.Client, echo_agents: dict[str, EchoAgent], idle: socket.socket
) -> None:
    with http.stream("POST", stack.url + CHAT, json=BODY, headers=held("draining")) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        stack.process.popen.send_signal(signal.SIGTERM)
        assert eventually(lambda: refuses_connections(stack.port))
        assert health(idle) == 503
        echo_agents["hotel_agent"].release("draining")
        assert list(lines)
    assert stack.process.popen.wait(DEADLINE) == 0


def test_a_second_signal_ends_it_at_once(http: httpx.Client, stack: Stack) -> None:
    with http.stream("POST", stack.url + CHAT, json=BODY, headers=held("impatient")) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        pids = children(stack.process.popen.pid)
        stack.process.popen.send_signal(signal.SIGTERM)
        assert eventually(lambda: refuses_connections(stack.port))
        assert stack.process.stop() == -signal.SIGTERM
        assert eventually(lambda: not any(runs(pid) for pid in pids))


@pytest.mark.slow
def test_what_does_not_end_in_time_is_cut_and_logged(
    run_stack: Callable[..., Stack], travel_yaml: Callable[..., str], http: httpx.Client
) -> None:
    stack = run_stack(travel_yaml(), "--drain-time", "1")
    with http.stream("POST", stack.url + CHAT, json=BODY, headers=held("endless")) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        assert stack.process.stop() == 0
        with pytest.raises(httpx.RemoteProtocolError):
            list(lines)
    assert "1 running requests are cut" in stack.process.output


def test_a_stack_without_traffic_stops_at_once(stack: Stack) -> None:
    pids = children(stack.process.popen.pid)
    assert stack.process.stop() == 0
    assert not [pid for pid in pids if runs(pid)]


def test_a_supervisor_that_is_killed_leaves_nothing_behind(
    http: httpx.Client, stack: Stack
) -> None:
    assert serves(http, stack)
    pids = children(stack.process.popen.pid)
    assert len(pids) == 2
    stack.process.popen.kill()
    assert eventually(lambda: not any(runs(pid) for pid in pids))
    assert refuses_connections(stack.port)


def test_two_stacks_do_not_disturb_each_other(
    http: httpx.Client, stack: Stack, travel: Stack
) -> None:
    assert stack.listeners != travel.listeners
    with ThreadPoolExecutor() as pool:
        assert all(pool.map(lambda each: serves(http, each), [stack, travel] * 10))
    assert stack.process.stop() == 0
    assert serves(http, travel)
