from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from extproc.address import SocketAddress, parse
from extproc.cli.asking import address_of, ask
from extproc.cli.failures import Failure

Admin = Callable[..., AbstractContextManager[str]]


def ask_at(address: str, understand: Callable[[Any], Any] = list) -> Any:
    socket = parse(address)
    assert isinstance(socket, SocketAddress)
    return asyncio.run(ask(socket, "/it", understand))


def test_the_address_is_the_files(file: Path) -> None:
    assert address_of(file, None) == SocketAddress("127.0.0.1", 9902)
    file.write_text(f"{file.read_text()}admin: {{address: 0.0.0.0, port: 9}}\n")
    assert address_of(file, None) == SocketAddress("0.0.0.0", 9)


def test_an_address_that_is_given_comes_first() -> None:
    assert address_of(Path("/missing.yaml"), "[::1]:9") == SocketAddress("::1", 9)


@pytest.mark.parametrize(
    ("file", "admin", "code", "words"),
    [
        (None, None, 2, "give -c FILE or --admin"),
        (Path("/missing.yaml"), None, 1, "/missing.yaml"),
        (None, "nowhere", 2, "--admin nowhere: expected host:port"),
        (None, "unix:/x", 2, "--admin needs host:port"),
    ],
)
def test_an_address_that_is_none(
    file: Path | None, admin: str | None, code: int, words: str
) -> None:
    with pytest.raises(Failure, match=words) as raised:
        address_of(file, admin)
    assert raised.value.code == code


def test_any_free_port_is_no_address(file: Path) -> None:
    file.write_text(f"{file.read_text()}admin: {{port: 0}}\n")
    with pytest.raises(Failure, match="give --admin HOST:PORT") as raised:
        address_of(file, None)
    assert raised.value.code == 2


def test_an_answer_is_understood(answering: Admin) -> None:
    with answering({"/it": [1, 2]}) as address:
        assert ask_at(address, sum) == 3


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (404, {"error": "this Envoy is not ours"}, "this Envoy is not ours"),
        (503, {"error": "no figures"}, "no figures"),
        (404, "404: Not Found", "is not the admin address of a stack"),
        (200, "[1]", "is not the admin address of a stack"),
        (500, [1], "is not the admin address of a stack"),
    ],
)
def test_an_answer_that_is_none(status: int, answer: Any, words: str, answering: Admin) -> None:
    with answering({"/it": answer}, status) as address, pytest.raises(Failure, match=words):
        ask_at(address)


@pytest.mark.parametrize("error", [AttributeError, KeyError, TypeError, ValueError])
def test_an_answer_that_is_not_understood(error: type[Exception], answering: Admin) -> None:
    def understand(_answer: Any) -> None:
        raise error

    with (
        answering({"/it": [1]}) as address,
        pytest.raises(Failure, match="is not the admin address"),
    ):
        ask_at(address, understand)


def test_nobody_answers(answering: Admin) -> None:
    with answering({"/it": [1]}) as address:
        pass
    with pytest.raises(Failure) as raised:
        ask_at(address)
    assert str(raised.value) == f"no stack answers at {address}; does `outerloop up` run?"
    assert raised.value.code == 1
