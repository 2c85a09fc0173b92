from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from extproc.config.model.agents import Agent, Retries, Variant


def test_the_defaults_are_those_of_the_contract() -> None:
    agent = Agent(id="a", url="http://h")
    assert agent.enabled
    assert agent.timeout is None
    assert agent.idle_timeout == timedelta(seconds=300)
    assert agent.retries.num_retries == 1
    assert agent.retries.retry_on == (
        "connect-failure",
        "refused-stream",
        "reset-before-request",
    )
    assert agent.circuit_breaker.max_retries == 1024
    assert agent.outlier_detection.max_ejection_percent == 100
    assert agent.load_balancing == "least_request"
    assert agent.forward_authorization is None


@pytest.mark.parametrize(("value", "read"), [(503, 503), ("503", 503), ("5xx", "5xx")])
def test_a_retry_condition_is_a_name_or_a_status(value: object, read: object) -> None:
    assert Retries.model_validate({"retry_on": [value]}).retry_on == (read,)


@pytest.mark.parametrize("value", ["sometimes", 200, 600, True, None, 5.5, [], {}])
def test_other_retry_conditions_are_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        Retries.model_validate({"retry_on": [value]})


@pytest.mark.parametrize(
    "keys",
    [
        {"endpoints": []},
        {"variants": []},
        {"cluster": ""},
        {"model": ""},
        {"service": "no-port.namespace"},
        {"health_check": {"path": "healthz"}},
        {"mirror": {}},
        {"mirror": {"url": "http://h", "percent": 101}},
        {"session_affinity": {"header": "a b"}},
        {"retries": {"num_retries": 11}},
        {"load_balancing": "round-robin"},
    ],
)
def test_values_without_a_meaning_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Agent.model_validate({"id": "a", **keys})


def test_a_variant_needs_a_weight() -> None:
    assert Variant(id="v", weight=0, url="http://h").weight == 0
    with pytest.raises(ValidationError):
        Variant.model_validate({"id": "v", "url": "http://h"})
