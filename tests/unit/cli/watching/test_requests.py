from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.cli.watching.requests import agents, failed, notable_filters, parse, reason

ROUTED: dict[str, Any] = {
    "listener": "travel",
    "status": 200,
    "request_id": "r-1",
    "details": "via_upstream",
    "error": None,
}


def test_a_line_of_the_access_log() -> None:
    assert parse(json.dumps(ROUTED)) == ROUTED
    assert parse(f"  {json.dumps(ROUTED)}\n") == ROUTED


@pytest.mark.parametrize(
    "line",
    [
        "",
        "outerloop 0.1.0 is ready",
        "{",
        "{}",
        "[1]",
        '{"level": "info"}',
        '{"listener": "travel", "status": 200}',
        '{"a":' * 100_000,
        '{"listener": 1, "request_id": 1, "status": ' + "9" * 5000 + "}",
    ],
)
def test_a_line_that_is_none(line: str) -> None:
    assert parse(line) is None


@pytest.mark.parametrize(
    "told",
    [
        {"status": 400},
        {"status": 503},
        {"error": "upstream_reset"},
        {"details": "upstream_reset_after_response_started{protocol_error}"},
        {"details": "stream_idle_timeout"},
        {"output_filters": "tidy=passed,pii=failed"},
        {"output_filters": "pii=denied"},
    ],
)
def test_what_failed(told: dict[str, Any]) -> None:
    assert failed(ROUTED | told)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"details": "answered"},
        {"status": 0, "details": "downstream_remote_disconnect"},
        {"details": "downstream_remote_disconnect"},
        {"filters": "pii=shadow_denied", "output_filters": "pii=shadow_failed"},
        {"status": "500", "details": 7, "output_filters": []},
    ],
)
def test_what_did_not(told: dict[str, Any]) -> None:
    assert not failed(ROUTED | told)


def test_a_reason_is_told_where_it_adds_something() -> None:
    assert reason(ROUTED) == ""
    assert reason(ROUTED | {"error": "not_found", "details": "not_found"}) == ""
    timeout = {"error": "upstream_timeout", "details": "response_timeout"}
    assert reason(ROUTED | timeout) == "response_timeout"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"plan": "a,b", "agent": "b"}, ["a", "b"]),
        ({"plan": None, "agent": "b"}, ["b"]),
        ({}, []),
        ({"plan": 7}, []),
    ],
)
def test_agents_of_a_plan(told: dict[str, Any], expected: list[str]) -> None:
    assert agents(told) == expected


def test_filters_that_did_something() -> None:
    told = {
        "filters": "a=passed,b=denied,c=shadow_passed,d=shadow_changed",
        "output_filters": "a=changed",
    }
    assert list(notable_filters(told)) == ["b=denied", "d=shadow_changed", "output a=changed"]
    assert list(notable_filters({"filters": {"a": 1}, "output_filters": None})) == []
