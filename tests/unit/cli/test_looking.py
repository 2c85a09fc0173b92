from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import pytest

from extproc.cli import looking
from extproc.cli.app import cli


def test_all_of_them_are_commands() -> None:
    found = {each for each in vars(looking).values() if isinstance(each, click.Command)}
    assert found <= set(cli.commands.values())
    assert {each.name for each in found} == {"variants", "top", "logs", "doctor"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("top", "--interval", "0"),
        ("logs", "-n", "-1"),
        ("doctor",),
        ("doctor", "--gateway", "http://127.0.0.1:1", "--cacert", "not-there.pem"),
        ("variants", "--agents", "a"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], outerloop: Callable[..., Any]) -> None:
    result = outerloop(*arguments)
    assert result.code == 2
    assert result.err.startswith("Usage: ")
