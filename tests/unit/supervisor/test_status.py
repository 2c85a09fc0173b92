from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version

from extproc.address import SocketAddress
from extproc.config.load import loads
from extproc.supervisor.counts import Counts, FilterCounts
from extproc.supervisor.figures import AgentFigures, Times
from extproc.supervisor.reload import Reloads
from extproc.supervisor.stack import Stack
from extproc.supervisor.status import Gathered, describe, gather, last_reload, readiness

YAML = """
version: v1
agents:
  - {id: plain, endpoints: ["http://one:1", "http://two:2"], failover: ["http://three:3"]}
  - id: split
    variants:
      - {id: stable, weight: 3, url: "http://stable:1"}
      - {id: canary, weight: 1, url: "http://canary:1"}
  - {id: alone, variants: [{id: only, weight: 1, url: "http://only:1"}]}
filters:
  - {id: guard, type: http, url: "http://guard:1", on_error: skip}
  - {id: idle, type: builtin, use: pii, mode: shadow}
listeners:
  - type: agent
    name: main
    port: 0
    input_filters: [guard]
    output_filters: [idle]
    agents: [{id: plain}, {id: split, default: true}]
  - {type: agent, name: other, port: 0, agents: [{id: alone}]}
"""
RELOADS = Reloads(loads(YAML, "o.yaml").config)
COUNTS = Counts(
    inflight=2,
    outcomes={"routed": 7, "error": 1},
    listeners={"main": 8, "gone": 3},
    agents={"plain": 4, "gone": 3},
    filters={"guard": FilterCounts({"passed": 3, "denied": 1}, 0.5)},
)
UNKNOWN = dict.fromkeys(("healthy", "total", "requests", "errors", "p50_ms", "p95_ms"))


def figures(agent: str, variant: str, good: int, bad: int, p50: float | None) -> AgentFigures:
    responses = {"2xx": good, "3xx": 0, "4xx": 0, "5xx": bad}
    return AgentFigures(agent, variant, responses, 1, 2, Times((), p50, p50))


FIGURES = {
    (each.agent, each.variant): each
    for each in (
        figures("plain", "", 5, 1, 12.0),
        figures("split", "stable", 8, 2, 10.0),
        figures("split", "canary", 1, 0, None),
        figures("alone", "only", 2, 0, 7.0),
    )
}
GATHERED = Gathered(COUNTS, FIGURES, {"main": SocketAddress("::1", 8001)})


def test_everything_is_there(make_stack: Callable[..., Stack]) -> None:
    told = describe(make_stack(), RELOADS, GATHERED)
    assert set(told) == {
        *("time", "version", "status", "generation", "last_reload", "workers", "envoy"),
        *("requests", "listeners", "agents", "filters"),
    }
    assert datetime.fromisoformat(told["time"]).tzinfo is not None
    assert told["version"] == version("outerloop-extproc")
    assert told["requests"] == {
        "total": 8,
        "inflight": 2,
        "outcomes": {"routed": 7, "rejected": 0, "error": 1, "cancelled": 0},
    }


def test_a_listener(make_stack: Callable[..., Stack]) -> None:
    main, other = describe(make_stack(), RELOADS, GATHERED)["listeners"]
    assert main == {
        "name": "main",
        "url": "http://[::1]:8001",
        "agents": ["plain", "split"],
        "default": "split",
        "input_filters": ["guard"],
        "output_filters": ["idle"],
        "requests": 8,
    }
    assert (other["url"], other["requests"]) == (None, 0)


def test_agents_and_variants(make_stack: Callable[..., Stack]) -> None:
    plain, split, alone = describe(make_stack(), RELOADS, GATHERED)["agents"]
    assert plain == {
        "id": "plain",
        "hosts": ["http://one:1", "http://two:2", "http://three:3"],
        "healthy": 1,
        "total": 2,
        "requests": 6,
        "errors": 1,
        "p50_ms": 12.0,
        "p95_ms": 12.0,
        "decided": 4,
        "variants": [],
    }
    assert split["hosts"] == ["http://stable:1", "http://canary:1"]
    assert (split["healthy"], split["total"]) == (2, 4)
    assert (split["requests"], split["errors"], split["decided"]) == (11, 2, 0)
    assert split["p50_ms"] is None, "percentiles cannot be added up"
    assert split["variants"][0] == {
        "id": "stable",
        "weight": 3,
        "healthy": 1,
        "total": 2,
        "requests": 10,
        "errors": 2,
        "p50_ms": 10.0,
        "p95_ms": 10.0,
    }
    assert (alone["p50_ms"], alone["variants"][0]["p50_ms"]) == (7.0, 7.0)


def test_filters(make_stack: Callable[..., Stack]) -> None:
    guard, idle = describe(make_stack(), RELOADS, GATHERED)["filters"]
    assert guard == {
        "id": "guard",
        "type": "http",
        "mode": "enforce",
        "on_error": "skip",
        "calls": 4,
        "outcomes": {"passed": 3, "denied": 1},
        "mean_ms": 125.0,
    }
    assert (idle["mode"], idle["calls"], idle["outcomes"]) == ("shadow", 0, {})
    assert idle["mean_ms"] is None


async def test_what_only_envoy_knows_is_unknown_where_it_is_not_ours(
    make_stack: Callable[..., Stack],
) -> None:
    stack = make_stack()
    gathered = await gather(stack)
    assert (gathered.figures, gathered.addresses) == (None, None)
    told = describe(stack, RELOADS, gathered)
    plain, split, _ = told["agents"]
    assert {key: plain[key] for key in UNKNOWN} == UNKNOWN
    assert split["variants"][1] == {"id": "canary", "weight": 1, **UNKNOWN}
    assert [each["url"] for each in told["listeners"]] == [None, None]
    assert plain["decided"] == 0


def test_how_the_processes_stand(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    assert readiness(stack, RELOADS) == {
        "status": "starting",
        "generation": 1,
        "workers": [{"pid": None, "status": "down"}],
        "envoy": None,
    }
    stack.draining = True
    assert readiness(stack, RELOADS)["status"] == "draining"


def test_how_the_last_reload_ended() -> None:
    reloads = Reloads(RELOADS.config)
    assert last_reload(reloads) is None
    reloads.end("rejected", ("o.yaml:3:1: wrong",))
    told = last_reload(reloads)
    assert told is not None
    assert datetime.fromisoformat(told["time"]).tzinfo is not None
    assert (told["outcome"], list(told["errors"])) == ("rejected", ["o.yaml:3:1: wrong"])
