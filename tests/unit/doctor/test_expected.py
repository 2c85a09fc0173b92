from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extproc.config.load import load
from extproc.config.model.root import Config
from extproc.doctor.expected import Expected, from_config, listed
from extproc.doctor.reply import Reply

YAML = """
version: v1
agents: [{id: weather, url: "http://w:1"}, {id: flights, url: "http://f:1"}]
filters:
  - {id: guard, type: http, url: "http://g:1"}
  - {id: pii, type: builtin, use: pii}
listeners:
  - name: first
    port: 1
    decision_timeout: 5s
    input_filters: [pii]
    agents: [{id: weather, output_filters: [pii]}, {id: flights}]
  - {name: second, port: 2, input_filters: [guard], output_filters: [pii], agents: [{id: flights}]}
limits: {max_request_bytes: 1MiB}
observability: {response_headers: full}
"""


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Config]:
    def read(text: str) -> Config:
        file = tmp_path / "outerloop.yaml"
        file.write_text(text)
        return load(file, {}).config

    return read


def test_what_a_file_says(config: Callable[[str], Config]) -> None:
    read = config(YAML)
    first, second = (from_config(read, listener) for listener in read.listeners)
    assert first == Expected(
        agents=("weather", "flights"),
        filtered=frozenset({"weather"}),
        listener="first",
        max_request_bytes=2**20,
        decision_timeout=5.0,
        response_headers="full",
    )
    assert (second.filtered, second.asks_servers) == (frozenset({"flights"}), True)


def test_a_model_is_asked_and_one_listener_needs_no_name(config: Callable[[str], Config]) -> None:
    read = config("""
version: v1
agents: [{id: weather, url: "http://w:1"}]
orchestrator: {strategy: model, model: {url: "http://m:1", name: m}}
listeners: [{name: only, port: 1, agents: [{id: weather}]}]
""")
    expected = from_config(read, read.listeners[0])
    assert (expected.asks_servers, expected.listener, expected.observes) == (True, None, False)


def test_agents_are_those_of_the_file_or_else_those_listed(
    make_listing: Callable[..., Reply],
) -> None:
    assert Expected().listing(make_listing("a", "b")).agents == ("a", "b")
    assert Expected(agents=("c",)).listing(make_listing("a", "b")).agents == ("c",)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"data": [{"id": "gpt", "owned_by": "openai"}]}'),
        (200, b'{"data": ["weather"]}'),
        (200, b"{}"),
        (200, b"<html>"),
        (404, b'{"data": [{"id": "weather", "owned_by": "outerloop"}]}'),
    ],
)
def test_somebody_elses_list_is_none(status: int, body: Any) -> None:
    assert listed(Reply(status, body=body)) == ()
