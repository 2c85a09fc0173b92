from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_text_is_decided(file: Path, outerloop: Callable[..., Any]) -> None:
    result = outerloop("route", "-c", str(file), "--json", "book a flight")
    assert result.code == 0
    decision = json.loads(result.out)
    assert set(decision) == {"plan", "source", "confidence", "scores", "ms"}
    assert (decision["plan"], decision["source"]) == (["flights"], "embedded")
    assert set(decision["scores"]) == {"weather", "flights"}


def test_a_person_is_told_why(file: Path, outerloop: Callable[..., Any]) -> None:
    shown = outerloop("route", "-c", str(file), "book a flight").out
    assert "plan        flights" in shown
    assert "source      embedded" in shown
    assert "weather" in shown


@pytest.mark.parametrize(
    "content",
    [
        [{"role": "user", "content": "book a flight"}],
        {"model": "x", "messages": [{"role": "user", "content": "book a flight"}]},
    ],
)
def test_messages_of_a_file(
    content: object, file: Path, tmp_path: Path, outerloop: Callable[..., Any]
) -> None:
    messages = tmp_path / "messages.json"
    messages.write_text(json.dumps(content))
    result = outerloop("route", "-c", str(file), "--json", "--messages", str(messages))
    assert json.loads(result.out)["plan"] == ["flights"]


def test_messages_that_are_none(file: Path, tmp_path: Path, outerloop: Callable[..., Any]) -> None:
    messages = tmp_path / "messages.json"
    messages.write_text("nothing")
    result = outerloop("route", "-c", str(file), "--messages", str(messages))
    assert result.code == 1
    assert "not valid JSON" in result.err


def test_a_listener_is_named_where_there_are_several(
    two_listeners: Path, outerloop: Callable[..., Any]
) -> None:
    arguments = ("route", "-c", str(two_listeners), "--json")
    assert outerloop(*arguments, "rain?").code == 2
    assert outerloop(*arguments, "--listener", "nobody", "rain?").code == 2
    decision = json.loads(outerloop(*arguments, "--listener", "other", "rain?").out)
    assert (decision["plan"], decision["source"]) == (["flights"], "single")


@pytest.mark.parametrize("arguments", [(), ("a text", "--messages")])
def test_either_text_or_messages(
    arguments: tuple[str, ...], file: Path, outerloop: Callable[..., Any]
) -> None:
    with_file = (*arguments, str(file)) if arguments else ()
    assert outerloop("route", "-c", str(file), *with_file).code == 2
