from __future__ import annotations

from datetime import timedelta

import pytest

from extproc.config.model.agents import Retries
from extproc.envoyconf.resources.retries import agent_retries, processor_retries


def test_by_default_only_what_never_reached_the_agent_is_sent_again() -> None:
    policy = agent_retries(Retries())
    assert policy is not None
    assert policy.retry_on == "connect-failure,refused-stream,reset-before-request"
    assert policy.num_retries == 1
    assert policy.retriable_status_codes == []
    assert policy.per_try_timeout is None


def test_numbers_are_status_codes() -> None:
    retries = Retries.model_validate(
        {"num_retries": 2, "retry_on": ["reset", 503, 429], "per_try_timeout": "60s"}
    )
    policy = agent_retries(retries)
    assert policy is not None
    assert policy.retry_on == "reset,retriable-status-codes"
    assert policy.retriable_status_codes == [503, 429]
    assert policy.per_try_timeout == timedelta(seconds=60)


@pytest.mark.parametrize("keys", [{"num_retries": 0}, {"retry_on": []}])
def test_nothing_to_retry_is_no_policy(keys: dict[str, object]) -> None:
    assert agent_retries(Retries.model_validate(keys)) is None


def test_another_host_is_tried() -> None:
    agent = agent_retries(Retries())
    assert agent is not None
    names = [agent.retry_host_predicate[0].name, processor_retries().retry_host_predicate[0].name]
    assert names == ["envoy.retry_host_predicates.previous_hosts"] * 2


def test_a_worker_that_goes_away_is_replaced_by_another() -> None:
    conditions = processor_retries().retry_on.split(",")
    assert {"connect-failure", "unavailable", "reset"} <= set(conditions)
