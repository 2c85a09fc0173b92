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
