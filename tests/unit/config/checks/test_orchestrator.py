from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

REST = """
version: v1
agents: [{id: a, url: "http://h"}]
listeners:
  - {name: l, port: 1, agents: [{id: a}]}
  - {name: quick, port: 2, decision_timeout: 1s, agents: [{id: a}]}
"""
SERVER = "url: 'http://h', name: m, timeout: 500ms"


@pytest.mark.parametrize(
    ("strategy", "needed"),
    [("model", "model"), ("embeddings", "embeddings"), ("cascade", "model")],
)
def test_a_strategy_has_the_server_it_asks(
    expect_errors: Callable[..., None], strategy: str, needed: str
) -> None:
    expect_errors(REST + f"orchestrator: {{strategy: ►{strategy}}}", f"set orchestrator.{needed}")


@pytest.mark.parametrize(
    "orchestrator",
    [
        "strategy: embedded",
        f"strategy: model, model: {{{SERVER}}}",
        f"strategy: cascade, min_confidence: 0.7, model: {{{SERVER}}}",
        f"model: {{{SERVER}}}",
        f"strategy: embeddings, embeddings: {{{SERVER}}}",
        f"strategy: cascade, embeddings: {{{SERVER}}}",
        f"embeddings: {{{SERVER}}}",
    ],
)
def test_strategies_that_can_work(expect_warnings: Callable[..., None], orchestrator: str) -> None:
    expect_warnings(REST + f"orchestrator: {{{orchestrator}}}")


@pytest.mark.parametrize("key", ["prompt_file: p.txt", "structured_output: none"])
def test_a_server_of_embeddings_has_no_prompt(expect_errors: Callable[..., None], key: str) -> None:
    expect_errors(REST + f"orchestrator: {{embeddings: {{{SERVER}, ►{key}}}}}", "unknown key")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read the prompt file: No such file"),
        (b"{routes} {conversation} \xe9", "not UTF-8"),
        (b"{routes}", "the placeholder {conversation} is missing"),
    ],
)
def test_a_prompt_file_that_cannot_be_used(
    expect_errors: Callable[..., None], tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "prompt.txt"
    if content is not None:
        file.write_bytes(content)
    model = f"{{{SERVER}, prompt_file: ►{file}}}"
    expect_errors(REST + f"orchestrator: {{model: {model}}}", words)


def test_a_prompt_file_that_can_be_used(read: Callable[..., object], tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("{routes_with_examples} {conversation}")
    read(REST + f"orchestrator: {{model: {{{SERVER}, prompt_file: {file}}}}}")


@pytest.mark.parametrize(
    "orchestrator",
    [
        f"strategy: embedded, ►model: {{{SERVER}}}, ►min_confidence: 0.5",
        f"strategy: model, model: {{{SERVER}}}, ►embeddings: {{{SERVER}}}, ►min_confidence: 0.5",
        f"strategy: embeddings, ►model: {{{SERVER}}}, embeddings: {{{SERVER}}}",
        f"strategy: cascade, model: {{{SERVER}}}, ►embeddings: {{{SERVER}}}",
        f"model: {{{SERVER}}}, ►embeddings: {{{SERVER}}}",
        "►min_confidence: 0.5",
    ],
)
def test_what_the_strategy_does_not_ask_has_no_effect(
    expect_warnings: Callable[..., None], orchestrator: str
) -> None:
    words = ["has no effect: the strategy is"] * orchestrator.count("►")
    expect_warnings(REST + f"orchestrator: {{{orchestrator}}}", *words)


@pytest.mark.parametrize("key", ["model", "embeddings"])
@pytest.mark.parametrize("timeout", ["1s", "5s"])
def test_a_server_with_more_time_than_a_decision(
    expect_warnings: Callable[..., None], key: str, timeout: str
) -> None:
    server = f"url: 'http://h', name: m, timeout: ►{timeout}"
    words = f"{timeout} is no less than the decision_timeout of listener quick"
    expect_warnings(REST + f"orchestrator: {{{key}: {{{server}}}}}", words)


def test_nothing_follows_from_a_faulty_strategy(expect_errors: Callable[..., None]) -> None:
    orchestrator = f"strategy: ►cascad, model: {{{SERVER}}}, embeddings: {{{SERVER}}}"
    expect_errors(REST + f"orchestrator: {{{orchestrator}}}", "must be one of")
