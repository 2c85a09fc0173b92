from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.manifests.kubernetes.calls import destinations, drain_time, step_agents
from extproc.manifests.source import Source

Make = Callable[..., Source]

AGENTS = tuple({"id": name, "url": f"http://{name}.travel.svc:80"} for name in "abc")
GUARD = {"id": "guard", "type": "http", "url": "http://guard.travel.svc:90"}
MODEL = {"url": "https://models.test/v1", "name": "m"}


def called(source: Source) -> list[tuple[str, str]]:
    return [(each.key, str(each.origin.address)) for each in destinations(source.config)]


def test_one_agent_is_the_gateway_s_affair(make_source: Make) -> None:
    assert called(make_source()) == []


def test_pods_call_filters_models_and_earlier_agents(make_source: Make) -> None:
    source = make_source(
        *AGENTS[:2],
        filters=[GUARD],
        orchestrator={"model": MODEL},
        tracing={"otlp_endpoint": "http://collector.observability:4317"},
    )
    assert called(source) == [
        ("filters: guard: url", "guard.travel.svc:90"),
        ("orchestrator.model.url", "models.test:443"),
        ("agents: a", "a.travel.svc:80"),
        ("agents: b", "b.travel.svc:80"),
        ("tracing.otlp_endpoint", "collector.observability:4317"),
    ]


def test_everything_but_spans_goes_by_the_way_out(make_source: Make) -> None:
    source = make_source(
        *AGENTS[:2],
        filters=[GUARD],
        egress={"url": "http://out.travel.svc:10000"},
        tracing={"otlp_endpoint": "http://collector.observability:4318"},
    )
    assert called(source) == [
        ("egress.url", "out.travel.svc:10000"),
        ("tracing.otlp_endpoint", "collector.observability:4318"),
    ]


def test_a_server_that_the_strategy_does_not_ask_is_not_called(make_source: Make) -> None:
    assert called(make_source(orchestrator={"strategy": "embedded", "model": MODEL})) == []


def test_a_cluster_of_the_gateway_has_no_address(make_source: Make) -> None:
    source = make_source(AGENTS[0], {"id": "legacy", "cluster": "outbound|80||legacy"})
    assert [key for key, _ in called(source)] == ["agents: a"]


@pytest.mark.parametrize(
    ("listener", "orchestrator", "expected"),
    [
        ({}, {}, "abc"),
        ({"mode": "observe"}, {}, ""),
        ({}, {"max_agents": 1}, ""),
        ({"agents": [{"id": "a"}]}, {}, ""),
        ({"agents": [{"id": "a"}], "rules": [{"agents": ["b", "a"]}]}, {}, "ab"),
    ],
)
def test_agents_that_can_come_before_the_last(
    make_source: Make, listener: dict[str, Any], orchestrator: dict[str, Any], expected: str
) -> None:
    config = make_source(*AGENTS, listener=listener, orchestrator=orchestrator).config
    assert "".join(agent.id for agent in step_agents(config)) == expected


LOOKED_AT = {"filters": [GUARD], "listener": {"output_filters": ["guard"]}}


@pytest.mark.parametrize(
    ("count", "changes", "seconds"),
    [
        (1, {"listener": {"decision_timeout": "4s"}}, 30),  # what serve takes by itself
        (1, {"listener": {"decision_timeout": "90.5s"}}, 91),
        (1, LOOKED_AT, 30 + 300),
        (2, {}, 30 + 300),
        (3, {}, 30 + 300 + 300),
        (3, {"orchestrator": {"max_agents": 2}}, 30 + 300),
        (3, {"listener": {"execution": "parallel"}}, 30 + 300),
        (3, {"listener": {"timeout": "10s"}}, 30 + 10 + 10),
        (3, {"listener": {"mode": "observe"}}, 30),
        (2, {"listener": {"timeout": "2h"}}, 3600),  # the longest that a processor is waited for
    ],
)
def test_pods_drain_for_as_long_as_a_request_can_need_them(
    make_source: Make, count: int, changes: dict[str, Any], seconds: int
) -> None:
    assert drain_time(make_source(*AGENTS[:count], **changes).config) == seconds


def test_the_longest_agent_and_its_own_filters_count(make_source: Make) -> None:
    slow = {**AGENTS[1], "timeout": "100s"}
    agents = [{"id": "a"}, {"id": "b", "output_filters": ["guard"]}]
    listener = {"agents": agents, "timeout": "20s", "decision_timeout": "5s"}
    source = make_source(AGENTS[0], slow, listener=listener, filters=[GUARD])
    assert drain_time(source.config) == 5 + 100 + 100
