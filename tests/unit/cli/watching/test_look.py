from __future__ import annotations

from typing import Any

import pytest

from extproc.cli.watching.look import understand

Json = dict[str, Any]


def test_what_a_stack_says(status_answer: Json, decisions_answer: list[Json]) -> None:
    look = understand(7.0, status_answer, decisions_answer)
    assert (look.at, look.version, look.status, look.generation) == (7.0, "0.1.0", "ready", "3")
    assert (look.workers, look.faults) == (["ready", "starting"], [])
    assert (look.requests, look.inflight, look.outcomes["rejected"]) == (200, 4, 10)
    assert [(each.name, each.requests) for each in look.listeners] == [("travel", 200)]
    assert [(each.id, each.mode, each.calls) for each in look.filters] == [
        ("guard", "enforce", 200)
    ]


def test_variants_follow_their_agent(status_answer: Json) -> None:
    agents = understand(0, status_answer, []).agents
    assert [(each.id, each.variant, each.weight, each.hosts) for each in agents] == [
        ("hotel", "", None, "http://h:1"),
        ("hotel", "stable", 90, ""),
        ("hotel", "canary", 10, ""),
        ("weather", "", None, "http://w:1"),
    ]
    assert [each.decided for each in agents] == [99, None, None, 91]


def test_decisions(status_answer: Json, decisions_answer: list[Json]) -> None:
    routed, denied = understand(0, status_answer, decisions_answer).decisions
    assert (routed.plan, routed.source, routed.confidence) == ("weather>hotel", "embedded", 0.934)
    assert (routed.filters, denied.filters) == ("", "guard=denied")
    assert (denied.plan, denied.source, denied.milliseconds) == ("", "", None)


def test_a_reload(status_answer: Json) -> None:
    last = {"outcome": "applied", "time": "x", "errors": []}
    assert understand(0, status_answer | {"last_reload": last}, []).faults == []
    last |= {"outcome": "rejected", "errors": ["o.yaml:3:5: agents[0]: the key 'id' is missing"]}
    faults = understand(0, status_answer | {"last_reload": last}, []).faults
    assert faults == ["o.yaml:3:5: agents[0]: the key 'id' is missing"]
    last["errors"] = []
    assert understand(0, status_answer | {"last_reload": last}, []).faults == ["rejected"]


def test_without_envoy(status_answer: Json) -> None:
    figures = dict.fromkeys(("healthy", "total", "requests", "errors", "p50_ms", "p95_ms"))
    agents = [each | figures | {"variants": []} for each in status_answer["agents"]]
    look = understand(0, status_answer | {"agents": agents, "envoy": None}, [])
    assert [(each.requests, each.healthy) for each in look.agents] == [(None, None)] * 2


def test_texts_are_harmless(status_answer: Json, decisions_answer: list[Json]) -> None:
    decisions_answer[0]["request_id"] = "\x1b]0;title\x07"
    assert understand(0, status_answer, decisions_answer).decisions[0].request_id == "�]0;title�"


@pytest.mark.parametrize(
    ("status", "decisions"),
    [
        ({}, []),
        ({"requests": 1}, []),
        ({"workers": 7}, []),
        ({"agents": [{"id": "a"}]}, []),
        ({"filters": "text"}, []),
        ({"last_reload": {"outcome": "x"}}, []),
        (None, [1]),
        (None, [{"time": "x"}]),
    ],
)
def test_what_no_stack_says(status: Json | None, decisions: list[Any], status_answer: Json) -> None:
    told = {} if status == {} else status_answer | (status or {})
    with pytest.raises((AttributeError, LookupError, TypeError)):
        understand(0, told, decisions)
