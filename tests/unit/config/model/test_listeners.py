from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from extproc.config.model.listeners import Listener, Rule

LEAST: dict[str, Any] = {"name": "l", "port": 1, "agents": [{"id": "a"}]}


def test_the_defaults_are_those_of_the_contract() -> None:
    listener = Listener.model_validate(LEAST)
    assert (listener.address, listener.on_unavailable, listener.execution) == (
        "127.0.0.1",
        "reject",
        "sequential",
    )
    assert (listener.timeout, listener.decision_timeout) == (
        timedelta(seconds=300),
        timedelta(seconds=30),
    )
    assert (listener.on_step_error, listener.insert, listener.mode) == (
        "fail",
        "assistant",
        "enforce",
    )


@pytest.mark.parametrize(
    "keys",
    [
        {"agents": []},
        {"port": 65536},
        {"address": "nowhere"},
        {"type": "model"},
        {"tls": {"certificate": "c.pem"}},
        {"rules": [{"agents": []}]},
        {"rules": [{"allow": []}]},
        {"rules": [{"when": {"path": "v1"}, "agents": ["a"]}]},
        {"rules": [{"when": {"method": "post"}, "agents": ["a"]}]},
        {"rules": [{"when": {"headers": {"a b": "c"}}, "agents": ["a"]}]},
    ],
)
def test_values_without_a_meaning_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Listener.model_validate(LEAST | keys)


def test_a_rule_compares_headers_in_lower_case() -> None:
    rule = Rule.model_validate({"when": {"headers": {"X-Tenant": "Acme"}}, "agents": ["a"]})
    assert rule.when.headers == {"x-tenant": "Acme"}
