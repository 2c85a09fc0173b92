from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from extproc.config.model.orchestrator import OrchestratorConfig


def test_the_defaults_are_those_of_the_contract() -> None:
    orchestrator = OrchestratorConfig()
    assert orchestrator.strategy is None
    assert (orchestrator.min_confidence, orchestrator.max_agents) == (0.55, 3)
    assert (orchestrator.on_error, orchestrator.on_none) == ("default", "default")
    assert (orchestrator.cache.entries, orchestrator.cache.ttl) == (10_000, timedelta(minutes=10))


@pytest.mark.parametrize(
    "keys",
    [
        {"min_confidence": 1.1},
        {"min_confidence": "nan"},
        {"max_agents": 0},
        {"model": {"url": "http://h"}},
        {"model": {"url": "h", "name": "m"}},
        {"model": {"url": "http://h", "name": ""}},
        {"session": {"header": "a b"}},
        {"strategy": "random"},
    ],
)
def test_values_without_a_meaning_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OrchestratorConfig.model_validate(keys)


SERVER = {"url": "http://h", "name": "m"}


@pytest.mark.parametrize(
    ("keys", "strategy", "asked"),
    [
        ({}, "embedded", None),
        ({"model": SERVER}, "cascade", "model"),
        ({"embeddings": SERVER}, "cascade", "embeddings"),
        ({"model": SERVER, "embeddings": SERVER}, "cascade", "model"),
        ({"strategy": "embedded", "model": SERVER}, "embedded", None),
        ({"strategy": "model", "model": SERVER}, "model", "model"),
        ({"strategy": "embeddings", "model": SERVER}, "embeddings", "embeddings"),
        ({"strategy": "cascade", "embeddings": SERVER}, "cascade", "embeddings"),
    ],
)
def test_a_server_that_is_named_is_asked_unless_the_strategy_says_otherwise(
    keys: dict[str, Any], strategy: str, asked: str | None
) -> None:
    orchestrator = OrchestratorConfig.model_validate(keys)
    assert (orchestrator.chosen_strategy, orchestrator.asked) == (strategy, asked)
