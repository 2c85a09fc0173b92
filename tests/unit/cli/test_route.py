from __future__ import annotations

import json
import socket
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
    head, _, table = shown.partition("\n\n")
    assert [line.split(maxsplit=1)[0] for line in head.splitlines()] == [
        *("plan", "source", "why", "confidence", "time"),
    ]
    assert "plan        flights\nsource      embedded\nwhy         by the built-in" in head
    best, other = table.splitlines()[1:]
    assert (best.split()[1], other.split()[1]) == ("flights", "weather")
    assert {"flight", "book"} <= set(best.replace(",", "").split())


def why(outerloop: Callable[..., Any], file: Path, *arguments: str) -> str:
    result = outerloop("route", "-c", str(file), *arguments)
    assert result.code == 0, result.err
    (line,) = (line for line in result.out.splitlines() if line.startswith("why "))
    return str(line.split(maxsplit=1)[1])


def test_where_nothing_fits(file: Path, outerloop: Callable[..., Any]) -> None:
    assert why(outerloop, file, "thanks, bye") == "no agent fits: the default one gets it"


def test_where_a_rule_decides(file: Path, outerloop: Callable[..., Any]) -> None:
    rule = "    rules: [{when: {method: POST}, agents: [weather]}]\n"
    file.write_text(file.read_text() + rule)
    assert why(outerloop, file, "book a flight") == "rule 1 names it"
    assert "score" not in outerloop("route", "-c", str(file), "book a flight").out


def test_where_the_server_fails(
    file: Path, outerloop: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        server = f"{{url: 'http://127.0.0.1:{closed.getsockname()[1]}', name: m}}"
    plain = file.read_text()
    file.write_text(plain + f"orchestrator: {{strategy: model, model: {server}}}\n")
    expected = "the model server gave no answer: the default agent gets it"
    assert why(outerloop, file, "book a flight") == expected
    file.write_text(plain + f"orchestrator: {{strategy: embeddings, embeddings: {server}}}\n")
    expected = "the agents are not embedded yet: decided by the embedded strategy"
    assert why(outerloop, file, "book a flight") == expected
    cascade = f"orchestrator: {{embeddings: {server}, min_confidence: 1}}\n"
    file.write_text(plain + cascade)
    assert "a server was asked: embedded confidence" in why(outerloop, file, "book a flight")


def test_a_prompt_file_that_cannot_be_used(
    file: Path, outerloop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = "{url: 'http://127.0.0.1:1', name: m, prompt_file: none.txt}"
    file.write_text(file.read_text() + f"orchestrator: {{model: {model}}}\n")
    result = outerloop("route", "-c", str(file), "rain?")
    assert (result.code, result.out) == (1, "")
    assert "orchestrator.model.prompt_file: cannot read the prompt file" in result.err
    # It may also vanish after it was checked.
    monkeypatch.setattr("extproc.config.checks.orchestrator.read_template", lambda _: "")
    result = outerloop("route", "-c", str(file), "rain?")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("outerloop: cannot read the prompt file")


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
