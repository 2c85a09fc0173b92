"""What is written about metrics, beside the metrics of a stack that had traffic."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from extproc.config.model.root import Admin
from tests.e2e.exposition import counted, enumerated, eventually, families, key

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Stack

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/observability"
YAML = """
version: v1
agents:
  - {{id: weather_agent, url: "{weather}"}}
  - {{id: hotel_agent, variants: [{{id: stable, weight: 1, url: "{hotel}"}}]}}
filters: [{{id: length, type: builtin, use: limits, options: {{max_chars: 100}}}}]
listeners:
  - type: agent
    name: travel
    port: 0
    input_filters: [length]
    rules: [{{when: {{headers: {{x-test-plan: two}}}}, agents: [weather_agent, hotel_agent]}}]
    agents: [{{id: weather_agent}}, {{id: hotel_agent}}]
"""
SAID = {"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": 3}}
BODY = {"messages": [{"role": "user", "content": "hello"}]}
TWO = {"x-test-plan": "two", "x-test-body": json.dumps(json.dumps(SAID))}
OF_TARGETS = {"job", "instance"}
"""Labels that Prometheus itself adds to whatever it scrapes."""
WORDS = {
    *("sum", "count", "min", "max", "rate", "increase", "changes", "histogram_quantile", "vector"),
    *("by", "or"),
}


@pytest.fixture(scope="module")
def stack(run_module_stack: Callable[..., Stack], echo_agents: dict[str, EchoAgent]) -> Stack:
    urls = {name.removesuffix("_agent"): each.url for name, each in echo_agents.items()}
    stack = run_module_stack(YAML.format(**urls))
    answer = httpx.post(f"{stack.url}/v1/chat/completions", json=BODY, headers=TWO, timeout=30)
    assert answer.headers["x-outerloop-plan"] == "weather_agent,hotel_agent"
    tokens = {"agent": "hotel_agent", "variant": "stable", "direction": "input"}
    wanted = key("outerloop_agent_tokens_total", **tokens)
    eventually(lambda: wanted in counted(stack.admin), True)
    return stack


@pytest.fixture(scope="module")
def labels(stack: Stack) -> Mapping[str, set[str]]:
    """By the name of a sample, the labels that it has."""
    return {
        sample.name: set(sample.labels) for each in families(stack.admin) for sample in each.samples
    }


def test_every_metric_is_documented_as_it_is(stack: Stack) -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `(outerloop_\w+)` \| (\w+) \| (.*?) ?\| .+ \|$", page, re.MULTILINE)
    documented = {name: (kind, set(re.findall(r"`(\w+)`", used))) for name, kind, used in rows}
    assert len(documented) == len(rows)
    shown = {}
    for each in families(stack.admin):
        assert each.documentation
        used = {label for sample in each.samples for label in sample.labels} - {"le"}
        name = f"{each.name}_total" if each.type == "counter" else each.name
        shown[name] = (each.type, used)
    assert documented == shown


@dataclass(frozen=True)
class Expression:
    """PromQL, taken apart as far as names go."""

    text: str

    @property
    def grouped(self) -> set[str]:
        """The labels that are kept: where none is named, none is."""
        kept = re.findall(r"\bby \(([^)]*)\)", self.text)
        return {label.strip() for each in kept for label in each.split(",")}

    @property
    def metrics(self) -> set[str]:
        text = re.sub(r"\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)", " ", self.text)
        return set(re.findall(r"(?<![\w.])[a-z_][\w:]*", text)) - WORDS

    @property
    def matchers(self) -> Iterator[tuple[str, str, str]]:
        """Yield the metric, the label and the value of each condition."""
        for metric, conditions in re.findall(r"([a-z_][\w:]*)\{([^}]*)\}", self.text):
            for label, value in re.findall(r'(\w+)[=!]~?"([^"]*)"', conditions):
                yield metric, label, value


def check(expression: Expression, labels: Mapping[str, set[str]], known: Iterable[str]) -> None:
    """Hold an expression to the names that there are; `known` are variables of a dashboard."""
    assert expression.metrics
    assert expression.metrics <= labels.keys()
    everything = set.union(*(labels[each] for each in expression.metrics)) | OF_TARGETS
    assert expression.grouped <= everything, expression
    for metric, label, value in expression.matchers:
        assert label in labels[metric] | OF_TARGETS, expression
        if value.startswith("$"):
            assert value.removeprefix("$") in known
        elif values := enumerated(metric, label):
            assert set(value.split("|")) <= values, expression


def test_the_dashboard_shows_what_there_is(labels: Mapping[str, set[str]]) -> None:
    dashboard = json.loads((EXAMPLE / "dashboard.json").read_text())
    variables = {each["name"]: each for each in dashboard["templating"]["list"]}
    assert variables.keys() == {"datasource", "listener", "agent"}
    for name in ("listener", "agent"):
        asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", variables[name]["definition"])
        assert asked is not None
        assert asked[2] == name
        assert name in labels[asked[1]]
    targets = [each for panel in dashboard["panels"] for each in panel.get("targets", ())]
    annotations = dashboard["annotations"]["list"]
    for each in (*targets, *annotations):
        assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        expression = Expression(each["expr"])
        check(expression, labels, variables)
        shown = set(re.findall(r"\{\{(\w+)\}\}", each.get("legendFormat", "")))
        assert shown <= expression.grouped, each


def test_the_dashboard_shows_everything(labels: Mapping[str, set[str]]) -> None:
    text = (EXAMPLE / "dashboard.json").read_text()
    names = {re.sub("_(bucket|count|sum)$", "", each) for each in labels}
    assert {name for name in names if name not in text} == set()


def test_panels_have_a_place_each() -> None:
    panels = json.loads((EXAMPLE / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def read(name: str) -> Any:
    return yaml.safe_load((EXAMPLE / name).read_text())


def test_the_rules_ask_for_what_there_is(labels: Mapping[str, set[str]]) -> None:
    rules = [rule for group in read("rules.yml")["groups"] for rule in group["rules"]]
    known = {**labels, "up": set()}
    for rule in rules:
        expression = Expression(rule["expr"])
        check(expression, known, ())
        if "record" in rule:
            known[rule["record"]] = expression.grouped - {"le"}
            continue
        assert rule["labels"]["severity"] in {"warning", "critical"}
        summary = rule["annotations"]["summary"]
        kept = expression.grouped or set.union(*(known[each] for each in expression.metrics))
        bare = "(" not in rule["expr"]
        assert set(re.findall(r"\$labels\.(\w+)", summary)) <= kept | (
            OF_TARGETS if bare else set()
        )
    names = [rule.get("record") or rule["alert"] for rule in rules]
    assert len(set(names)) == len(names)


def test_prometheus_reads_the_rules_and_asks_the_admin() -> None:
    config = read("prometheus.yml")
    assert config["rule_files"] == ["rules.yml"]
    [job] = config["scrape_configs"]
    admin = Admin()
    assert job["static_configs"] == [{"targets": [f"{admin.address}:{admin.port}"]}]
    down = read("rules.yml")["groups"][1]["rules"][0]
    assert f'job="{job["job_name"]}"' in down["expr"]


def test_a_worker_that_dies_is_counted(stack: Stack, echo_agents: dict[str, EchoAgent]) -> None:
    """Last: the worker's own gauges begin anew."""
    url = f"{stack.url}/v1/chat/completions"
    held = TWO | {"x-request-id": "dies", "x-test-hold": "now", "x-test-at": "weather_agent"}
    [worker] = stack.ready()["workers"]
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(httpx.post, url, json=BODY, headers=held, timeout=30)
        eventually(lambda: "dies" in echo_agents["weather_agent"].running(), True)
        os.kill(worker["pid"], signal.SIGKILL)
        answer = asked.result()
    assert (answer.status_code, answer.headers["x-outerloop-error"]) == (
        503,
        "processor_unavailable",
    )
    died = key("outerloop_deaths_total", process="worker")
    again = key("outerloop_decision_retries_total", listener="travel")
    undecided = key("outerloop_undecided_requests_total", listener="travel")
    eventually(lambda: counted(stack.admin).get(died), 1)
    eventually(lambda: counted(stack.admin).get(again), 1)
    eventually(lambda: counted(stack.admin).get(undecided), 1)
