from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from rich.console import Console

from extproc.address import SocketAddress, parse
from extproc.cli import top as command
from extproc.cli.watching.look import understand

Run = Callable[..., Any]
Admin = Callable[..., AbstractContextManager[str]]
Json = dict[str, Any]


@pytest.fixture
def answers(status_answer: Json, decisions_answer: list[Json]) -> Json:
    return {"/status": status_answer, "/decisions": decisions_answer}


@pytest.mark.parametrize("options", [(), ("--once",)])
def test_one_look_without_a_terminal(
    options: tuple[str, ...], answers: Json, answering: Admin, outerloop: Run
) -> None:
    with answering(answers) as address:
        result = outerloop("top", "--admin", address, *options)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("outerloop  ready  generation 3  workers 1/2")
    assert "\x1b" not in result.out
    for words in ("  canary", "weather>hotel", "guard=denied", "http://127.0.0.1:8001"):
        assert words in result.out


def test_machines_get_what_was_answered(answers: Json, answering: Admin, outerloop: Run) -> None:
    with answering(answers) as address:
        result = outerloop("top", "--admin", address, "--json")
    assert json.loads(result.out) == {
        "status": answers["/status"],
        "decisions": answers["/decisions"],
    }


def test_the_address_is_the_files(
    answers: Json, answering: Admin, file: Any, outerloop: Run
) -> None:
    with answering(answers) as address:
        host, _, port = address.partition(":")
        file.write_text(f"{file.read_text()}admin: {{address: {host}, port: {port}}}\n")
        assert "weather" in outerloop("top", "-c", str(file)).out


def test_nobody_answers_at_the_start(answers: Json, answering: Admin, outerloop: Run) -> None:
    with answering(answers) as address:
        pass
    result = outerloop("top", "--admin", address)
    assert (result.code, result.out) == (1, "")
    assert result.err == f"outerloop: no stack answers at {address}; does `outerloop up` run?\n"


@pytest.mark.parametrize(
    "answer", [{"/status": {"a": 1}}, {"/status": [1]}, {"/decisions": [{}]}, {"/decisions": [1]}]
)
def test_an_answer_of_something_else(
    answer: Json, answers: Json, answering: Admin, outerloop: Run
) -> None:
    with answering({**answers, **answer}) as address:
        result = outerloop("top", "--admin", address)
    assert (result.code, result.out) == (1, "")
    assert "is not the admin address of a stack" in result.err


def test_no_address(outerloop: Run) -> None:
    assert outerloop("top").code == 2
    assert outerloop("top", "--admin", "127.0.0.1:1", "--interval", "0").code == 2


def drawn(watched: command._Watched) -> list[str]:
    console = Console(width=100, height=30, force_terminal=False)
    with console.capture() as capture:
        console.print(watched)
    return capture.get().splitlines()


def test_what_was_seen_last_stays(answers: Json, answering: Admin) -> None:
    look = understand(0.0, answers["/status"], [])
    with answering(answers) as text:
        address = parse(text)
        assert isinstance(address, SocketAddress)
        watched = command._Watched(address, look)
        asyncio.run(watched.look_again())
        assert "ready  generation 3  workers 1/2  0.0 req/s" in drawn(watched)[0]
    asyncio.run(watched.look_again())
    first, second, *rest = drawn(watched)
    assert first.startswith("outerloop  no answer")
    assert second.startswith(f"no stack answers at {address}")
    assert any("weather>hotel" in line for line in rest)
