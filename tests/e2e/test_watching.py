"""`outerloop top` and `outerloop logs`, on a stack that runs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.terminal import DEADLINE, Terminal, wait_until

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process, Stack

OUTERLOOP = str(Path(sys.executable).parent / "outerloop")
CHAT = "/v1/chat/completions"
ENTER, LEAVE, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


def ask(url: str, agent: str, **headers: str) -> int:
    body = {"model": agent, "messages": [{"role": "user", "content": "hello"}]}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(url + CHAT, json=body, headers=named, timeout=30).status_code


def outerloop(*options: str, content: str = "") -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [OUTERLOOP, *options],
        input=content,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in result.stdout + result.stderr
    return result


@pytest.fixture(scope="module")
def stack(run_module_stack: Callable[..., Stack], travel_yaml: Callable[..., str]) -> Stack:
    """A stack whose traffic is known: a request, one that its agent fails, and one refused."""
    stack = run_module_stack(travel_yaml())
    assert ask(stack.url, "hotel_agent", x_request_id="seen-routed") == 200
    failing = {"x_request_id": "seen-[red]failed[/red]", "x_test_abort": "now"}
    assert ask(stack.url, "flight_agent", **failing) == 503
    refused = {"x-request-id": "seen-refused"}
    assert httpx.post(stack.url + CHAT, content=b"{", headers=refused).status_code == 400
    stack.access_log("seen-refused")
    return stack


def admin(stack: Stack) -> tuple[str, str]:
    return "--admin", stack.admin.removeprefix("http://")


def test_the_log_of_a_stack_is_piped(stack: Stack) -> None:
    written = "\n".join(list(stack.process.out.lines))
    result = outerloop("logs", content=written)
    assert (result.returncode, result.stderr) == (0, "")
    shown = result.stdout.splitlines()
    assert shown[0] == stack.process.out.lines[0]
    routed, failed, refused = (line for line in shown if "seen-" in line)
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d\.\d{3}  200  POST /v1/chat/completions  travel  hotel_agent"
        r" +explicit +1.00 +\d+ ms +\(first \d+ ms\)  seen-routed",
        routed,
    )
    assert "  503  POST " in failed
    assert "  upstream_reset (upstream_reset_before_response_started" in failed
    assert failed.endswith("  seen-[red]failed[/red]")
    assert refused.endswith("  invalid_request  seen-refused")
    assert routed.index("travel") == failed.index("travel") == refused.index("travel")


def test_what_failed(stack: Stack) -> None:
    log = "\n".join(line for line in stack.process.out.lines if line.startswith("{"))
    shown = outerloop("logs", "--errors", content=log).stdout.splitlines()
    assert [line.split()[1] for line in shown] == ["503", "400"]
    (only,) = outerloop("logs", "--agent", "hotel_agent", content=log).stdout.splitlines()
    assert only.endswith("seen-routed")


def test_a_file_is_followed_until_ctrl_c(
    run_stack: Callable[..., Stack],
    travel_yaml: Callable[..., str],
    start_process: type[Process],
    tmp_path: Path,
) -> None:
    log = tmp_path / "access.log"
    yaml = travel_yaml(more=f"observability: {{access_log: {log}}}")
    (tmp_path / "same.yaml").write_text(yaml)
    stack = run_stack(yaml)
    ask(stack.url, "hotel_agent", x_request_id="before")
    follow = start_process(OUTERLOOP, "logs", "--follow", "-c", str(tmp_path / "same.yaml"))
    follow.wait_line(lambda line: line.endswith("  before"))
    ask(stack.url, "hotel_agent", x_request_id="after")
    follow.wait_line(lambda line: line.endswith("  after"))
    assert follow.stop(signal.SIGINT) == 0
    assert follow.err.lines == []


def test_ctrl_c_in_a_pipe_is_for_the_stack(
    travel_yaml: Callable[..., str],
    echo_agents: dict[str, EchoAgent],
    start_process: type[Process],
    tmp_path: Path,
) -> None:
    file = tmp_path / "outerloop.yaml"
    file.write_text(travel_yaml())
    up = f"'{OUTERLOOP}' up -c '{file}' --admin 127.0.0.1:0 | '{OUTERLOOP}' logs"
    script = f"import os; os.setsid(); os.execlp('sh', 'sh', '-c', {up!r})"
    pipe = start_process(sys.executable, "-c", script)
    listener = pipe.wait_line(lambda line: line.startswith("listener ")).split()[-1]
    with ThreadPoolExecutor() as pool:
        held = pool.submit(ask, listener, "hotel_agent", x_request_id="held", x_test_hold="now")
        wait_until(lambda: "held" in echo_agents["hotel_agent"].running(), lambda: pipe.output)
        os.killpg(pipe.popen.pid, signal.SIGINT)
        echo_agents["hotel_agent"].release("held")
        assert held.result(DEADLINE) == 200
    pipe.popen.wait(DEADLINE)
    wait_until(lambda: not group_runs(pipe.popen.pid), lambda: pipe.output)
    assert [line for line in pipe.out.lines if line.endswith("  held")]
    assert "Traceback" not in pipe.output
    pipe.stop()


def group_runs(group: int) -> bool:
    with suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False


def test_one_look(stack: Stack) -> None:
    result = outerloop("top", *admin(stack))
    assert (result.returncode, result.stderr) == (0, "")
    first, second, *rest = result.stdout.splitlines()
    assert first.startswith("outerloop  ready  generation 1  workers 1/1  0 in flight")
    assert second == "3 requests: 2 routed, 1 rejected, 0 error, 0 cancelled"
    cells = {line.split()[0]: line.split() for line in rest if line.strip()}
    assert cells["travel"][1:] == [stack.url, "3"]
    # Healthy, requests, errors and their share.
    assert cells["hotel_agent"][1:5] == ["1/1", "1", "0", "0.0"]
    assert cells["flight_agent"][1:5] == ["1/1", "1", "1", "100.0"]
    (failed,) = (line for line in rest if line.endswith("seen-[red]failed[/red]"))
    assert failed.split()[1:4] == ["travel", "flight_agent", "explicit"]


def test_one_look_for_machines(stack: Stack) -> None:
    told = json.loads(outerloop("top", *admin(stack), "--json").stdout)
    assert told["status"]["requests"]["outcomes"]["rejected"] == 1
    assert {each["request_id"] for each in told["decisions"]} > {"seen-routed"}


@contextmanager
def top_in_terminal(stack: Stack) -> Iterator[Terminal]:
    terminal = Terminal(OUTERLOOP, "top", *admin(stack), "--interval", "0.2")
    try:
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize("end", ["q", signal.SIGINT, signal.SIGTERM])
def test_a_terminal_is_drawn_and_left_as_it_was(stack: Stack, end: str | signal.Signals) -> None:
    with top_in_terminal(stack) as terminal:
        terminal.wait_for("req/s")
        assert ENTER in terminal.drawn
        assert terminal.attributes() != terminal.before
        if isinstance(end, str):
            terminal.type(end)
        else:
            terminal.popen.send_signal(end)
        assert terminal.popen.wait(DEADLINE) == 0
        terminal.wait_for(SHOW_CURSOR.decode())
        assert LEAVE in terminal.drawn
        assert terminal.attributes() == terminal.before
        assert b"Traceback" not in terminal.drawn


def test_a_terminal_shows_what_comes(
    run_stack: Callable[..., Stack], travel_yaml: Callable[..., str]
) -> None:
    stack = run_stack(travel_yaml())
    with top_in_terminal(stack) as terminal:
        terminal.wait_for("0 requests: ")
        hostile = "\x9b31m[blink]\u202e"
        ask(stack.url, "weather_agent", x_request_id="watched")
        body = {"model": "hotel_agent", "messages": [{"role": "user", "content": "hello"}]}
        headers = [(b"x-request-id", hostile.encode())]
        assert httpx.post(stack.url + CHAT, json=body, headers=headers).status_code == 200
        terminal.wait_for("2 requests: ")
        terminal.wait_for("[blink]")
        for steering in ("\x9b", "\u202e"):
            assert steering.encode() not in terminal.drawn
        wide = terminal.drawn
        assert b"request id" in wide
        terminal.drawn = b""
        terminal.resize(12, 40)
        terminal.popen.send_signal(signal.SIGWINCH)
        terminal.wait_for("weather_agent")
        assert b"request id" not in terminal.drawn
        assert stack.process.stop() == 0
        terminal.wait_for("no answer")
        terminal.type("q")
        assert terminal.popen.wait(DEADLINE) == 0
