from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from extproc.supervisor.envoy_metrics import EnvoyCollector
from extproc.supervisor.figures import AgentFigures, Bucket, Figures, ListenerFigures, Times

TIMES = Times((Bucket(4, 0.1, 1), Bucket(42, 1, 2), Bucket(700_000, 10_000, 1)), 42.5, 705_000)
CANARY = AgentFigures(
    agent="hotel",
    variant="canary",
    responses={"2xx": 3, "5xx": 2},
    healthy=1,
    total=2,
    times=TIMES,
    first_byte=Times((Bucket(4, 0.1, 1),)),
    tokens={"input": 30, "output": 50},
    active=4,
    retries=6,
    overflows={"connections": 0, "requests": 5},
    ejected=1,
    ejections=2,
)
PLAIN = AgentFigures("weather", "", {"2xx": 0, "5xx": 0}, 0, 1, Times())
TRAVEL = ListenerFigures(
    "travel",
    {"2xx": 8},
    active=2,
    connections=3,
    refused=1,
    asked_again=7,
    undecided=4,
)


def shown(figures: Figures) -> list[str]:
    registry = CollectorRegistry()
    registry.register(EnvoyCollector(figures))
    return generate_latest(registry).decode().splitlines()


def test_agents() -> None:
    lines = shown(Figures((CANARY, PLAIN)))
    hotel = 'agent="hotel",variant="canary"'
    for line in (
        'responses_total{agent="hotel",status_class="5xx",variant="canary"} 2.0',
        'responses_total{agent="weather",status_class="2xx",variant=""} 0.0',
        'response_seconds_bucket{agent="hotel",le="0.005",variant="canary"} 1.0',
        'response_seconds_bucket{agent="hotel",le="0.05",variant="canary"} 3.0',
        'response_seconds_bucket{agent="hotel",le="600.0",variant="canary"} 3.0',
        'response_seconds_bucket{agent="hotel",le="+Inf",variant="canary"} 4.0',
        f"response_seconds_count{{{hotel}}} 4.0",
        f"response_seconds_sum{{{hotel}}} 705.0875",
        'response_seconds_count{agent="weather",variant=""} 0.0',
        f"first_byte_seconds_count{{{hotel}}} 1.0",
        'tokens_total{agent="hotel",direction="input",variant="canary"} 30.0',
        'tokens_total{agent="hotel",direction="output",variant="canary"} 50.0',
        'hosts{agent="hotel",state="healthy",variant="canary"} 1.0',
        'hosts{agent="hotel",state="ejected",variant="canary"} 1.0',
        'hosts{agent="hotel",state="total",variant="canary"} 2.0',
        f"active_requests{{{hotel}}} 4.0",
        f"retries_total{{{hotel}}} 6.0",
        'overflows_total{agent="hotel",limit="connections",variant="canary"} 0.0',
        'overflows_total{agent="hotel",limit="requests",variant="canary"} 5.0',
        f"ejections_total{{{hotel}}} 2.0",
    ):
        assert f"outerloop_agent_{line}" in lines


def test_an_agent_that_reports_no_tokens_has_none() -> None:
    assert not [line for line in shown(Figures((PLAIN,))) if "tokens_total{" in line]


def test_listeners() -> None:
    lines = shown(Figures((), (TRAVEL,)))
    for line in (
        'listener_responses_total{listener="travel",status_class="2xx"} 8.0',
        'listener_active_requests{listener="travel"} 2.0',
        'listener_connections{listener="travel"} 3.0',
        'listener_refused_connections_total{listener="travel"} 1.0',
        'decision_retries_total{listener="travel"} 7.0',
        'undecided_requests_total{listener="travel"} 4.0',
    ):
        assert f"outerloop_{line}" in lines
