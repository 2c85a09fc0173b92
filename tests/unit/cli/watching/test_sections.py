from __future__ import annotations

from copy import deepcopy
from typing import Any

from rich.text import Text

from extproc.cli.watching import sections
from extproc.cli.watching.look import understand
from extproc.cli.watching.rates import Rates

Json = dict[str, Any]


def plain(lines: list[Text]) -> list[str]:
    return [line.plain for line in lines]


def styled(lines: list[Text], text: str) -> list[Any]:
    return [
        span.style
        for line in lines
        for span in line.spans
        if line.plain[span.start : span.end].strip() == text
    ]


def test_agents_and_their_variants(status_answer: Json) -> None:
    look = understand(0, status_answer, [])
    assert plain(sections.agents(look.agents, Rates(look, None), None)) == [
        "agent     weight  healthy  requests  errors  errors %  p50 ms  p95 ms  decided  hosts",
        "hotel          -      1/2       100       1       1.0       -       -       99  http://h:1",
        "  stable      90      1/1        90       0       0.0       5      20        -",
        "  canary      10      1/1        10       1      10.0       5      20        -",
        "weather        -      1/1        90       0       0.0       5      20       91  http://w:1",
    ]


def test_rates_of_two_looks(status_answer: Json) -> None:
    before = understand(0, deepcopy(status_answer), [])
    status_answer["agents"][1] |= {"requests": 93, "errors": 1}
    now = understand(2, status_answer, [])
    lines = sections.agents(now.agents, Rates(now, before), 80)
    assert plain(lines)[0].split("  ")[-4:] == ["errors %", "errors/s", "p50 ms", "p95 ms"]
    assert lines[-1].plain.split() == ["weather", "-", "1/1", "93", "1.5", "1.1", "0.5", "5", "20"]
    assert styled(lines, "0.5") == ["red"]


def test_health_has_colours(status_answer: Json) -> None:
    status_answer["agents"][1] |= {"healthy": 0, "total": 3}
    look = understand(0, status_answer, [])
    lines = sections.agents(look.agents, Rates(look, None), None)
    assert [styled(lines, text) for text in ("1/2", "1/1", "0/3")] == [
        ["yellow"],
        ["green", "green"],
        ["red"],
    ]


def test_without_envoy(status_answer: Json) -> None:
    figures = dict.fromkeys(("healthy", "total", "requests", "errors", "p50_ms", "p95_ms"))
    status_answer["agents"] = [
        each | figures | {"variants": []} for each in status_answer["agents"]
    ]
    look = understand(0, status_answer, [])
    assert plain(sections.agents(look.agents, Rates(look, None), None)) == [
        "agent    decided  hosts",
        "hotel         99  http://h:1",
        "weather       91  http://w:1",
    ]


def test_listeners_and_filters(status_answer: Json) -> None:
    look = understand(0, status_answer, [])
    rates = Rates(look, None)
    assert plain(sections.listeners(look.listeners, rates, None)) == [
        "listener  url                    requests",
        "travel    http://127.0.0.1:8001       200",
    ]
    assert plain(sections.filters(look.filters, rates, None)) == [
        "filter  type     mode     on_error  calls  mean ms  outcomes",
        "guard   builtin  enforce  deny        200      0.2  190 passed, 10 denied",
    ]


def test_decisions(status_answer: Json, decisions_answer: list[Json]) -> None:
    decisions_answer[0]["request_id"] = "[red]r-2[/red]"
    look = understand(0, status_answer, decisions_answer)
    lines = plain(sections.decisions(look.decisions, look.time, None))
    assert [line.split()[1:] for line in lines] == [
        ["listener", "plan", "source", "conf", "ms", "outcome", "filters", "request", "id"],
        ["travel", "weather>hotel", "embedded", "0.93", "1.2", "routed", "[red]r-2[/red]"],
        ["travel", "-", "-", "-", "rejected", "guard=denied", "r-1"],
    ]
    narrow = sections.decisions(look.decisions, look.time, 40)
    assert narrow[0].plain.split() == ["time", "plan", "source"]


def test_decisions_of_another_day_have_their_date(
    status_answer: Json, decisions_answer: list[Json]
) -> None:
    decisions_answer[1]["time"] = "2026-05-01T12:00:00.000+00:00"
    look = understand(0, status_answer, decisions_answer)
    _, newer, older = plain(sections.decisions(look.decisions, look.time, None))
    assert older.startswith("2026-05-01 ")
    assert newer[2] == ":"
    undated = plain(sections.decisions(look.decisions, "no time", None))
    assert undated[1].startswith("2026-05-04 ")
