from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from extproc.cli.app import cli


def test_help_names_every_command(outerloop: Callable[..., Any]) -> None:
    result = outerloop("--help")
    assert result.code == 0
    for name in cli.commands:
        assert f"  {name} " in result.out


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_has_help(name: str, outerloop: Callable[..., Any]) -> None:
    result = outerloop(name, "--help")
    assert result.code == 0
    assert result.out.startswith(f"Usage: outerloop {name}")


def test_the_version_is_the_packages(outerloop: Callable[..., Any]) -> None:
    assert version("outerloop-extproc") in outerloop("--version").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        ("up",),
        ("up", "-c", "x", "--workers", "0"),
        ("up", "-c", "x", "--drain-time", "-1"),
        ("render", "-c", "x"),
        ("render", "-c", "x", "--target", "nginx"),
        ("check", "-c", "x", "--jason"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], outerloop: Callable[..., Any]) -> None:
    result = outerloop(*arguments)
    assert result.code == 2
    assert result.err.startswith("Usage: ")


def test_debug_may_stand_before_or_after_the_command(
    file: Path, outerloop: Callable[..., Any]
) -> None:
    assert outerloop("--debug", "check", "-c", str(file)).code == 0
    assert outerloop("check", "-c", str(file), "--debug").code == 0
