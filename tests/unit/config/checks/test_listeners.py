from __future__ import annotations

from collections.abc import Callable

import pytest

AGENTS = """
version: v1
agents:
  - {id: weather, url: "http://h:1"}
  - {id: flight, url: "http://h:2"}
  - {id: sleeping, url: "http://h:3", enabled: false}
filters:
  - {id: guard, url: "http://h:4"}
"""


def listener(keys: str, agents: str = "[{id: weather}, {id: flight}]") -> str:
    return f"{AGENTS}listeners:\n  - {{name: l, port: 1, {keys}agents: {agents}}}\n"


def test_names_are_unique(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        AGENTS
        + """
listeners:
  - {name: l, port: 1, agents: [{id: weather}]}
  - {name: ►l, port: 2, agents: [{id: weather}]}
""",
        "the same name as listeners[0].name",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("'::'", "'::1'"),
    ],
)
def test_addresses_that_clash(expect_errors: Callable[..., None], one: str, other: str) -> None:
    expect_errors(
        AGENTS
        + f"""
listeners:
  - {{name: l, address: {one}, port: 8001, agents: [{{id: weather}}]}}
  - {{name: m, address: {other}, port: ►8001, agents: [{{id: weather}}]}}
""",
        "the same address and port as listeners[0]",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("address: 127.0.0.1, port: 8001", "address: 127.0.0.2, port: 8001"),
        ("address: 127.0.0.1, port: 8001", "address: 127.0.0.1, port: 8002"),
        ("address: 0.0.0.0, port: 8001", "address: '::1', port: 8001"),
        ("port: 0", "port: 0"),
    ],
)
def test_addresses_that_do_not_clash(read: Callable[..., object], one: str, other: str) -> None:
    read(
        AGENTS
        + f"""
listeners:
  - {{name: l, {one}, agents: [{{id: weather}}]}}
  - {{name: m, {other}, agents: [{{id: weather}}]}}
admin: {{port: 0}}
"""
    )


@pytest.mark.parametrize("admin", ["", "admin: {port: 9902}", "admin: {address: 0.0.0.0}"])
def test_the_admin_has_a_port_of_its_own(expect_errors: Callable[..., None], admin: str) -> None:
    expect_errors(
        AGENTS
        + f"""
{admin}
listeners:
  - {{name: l, port: ►9902, agents: [{{id: weather}}]}}
""",
        "the same address and port as admin",
    )


def test_agents_exist_and_stand_once(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        listener("", "[{id: weather}, {id: ►wether}, {id: ►weather}, {id: sleeping}]"),
        "no entry of `agents` has the id 'wether' (did you mean 'weather'?)",
        "the same agent as listeners[0].agents[0].id",
    )


def test_some_agent_is_enabled(expect_errors: Callable[..., None]) -> None:
    expect_errors(listener("►", "[{id: sleeping}]"), "all agents of this listener are disabled")


def test_one_agent_is_the_default(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        listener("", "[{id: weather, default: true}, {id: flight, default: ►true}]"),
        "only one agent can be the default; listeners[0].agents[0] is",
    )


def test_the_default_is_enabled(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        listener("", "[{id: weather}, {id: sleeping, default: ►true}]"),
        "the default agent is disabled",
    )


@pytest.mark.parametrize(
    ("keys", "agents"),
    [
        ("input_filters: [guard], ", "[{id: weather}]"),
        ("output_filters: [guard], ", "[{id: weather}]"),
        ("", "[{id: weather, input_filters: [guard]}, {id: flight}]"),
        ("", "[{id: weather}, {id: flight, default: true, output_filters: [guard]}]"),
    ],
)
def test_filters_cannot_be_walked_round(
    expect_errors: Callable[..., None], keys: str, agents: str
) -> None:
    expect_errors(
        listener(f"on_unavailable: ►default_agent, {keys}", agents), "would pass requests round"
    )


def test_an_unfiltered_default_may_stand_in(read: Callable[..., object]) -> None:
    agents = "[{id: weather, input_filters: [guard]}, {id: flight, default: true}]"
    read(listener("on_unavailable: default_agent, ", agents))


def test_filters_exist(expect_errors: Callable[..., None]) -> None:
    agents = "[{id: weather, input_filters: [guard, ►b], output_filters: [►c]}]"
    expect_errors(
        listener("input_filters: [►gurd], output_filters: [►a, guard], ", agents),
        "no entry of `filters` has the id 'gurd' (did you mean 'guard'?)",
        "no entry of `filters` has the id 'a'",
        "no entry of `filters` has the id 'b'",
        "no entry of `filters` has the id 'c'",
    )


def test_rules_say_one_thing_of_agents_that_exist(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        AGENTS
        + """
listeners:
  - name: l
    port: 1
    agents: [{id: weather}, {id: sleeping}]
    rules:
      - {when: {headers: {x-plan: free}}, agents: [flight, sleeping]}
      - {when: {path: /v1/messages, method: POST}, allow: [weather, flight, weather]}
      - ►{when: {}}
      - ►{agents: [weather], allow: [weather]}
      - {agents: [weather, ►wether]}
      - {allow: [►nobody, weather]}
      - {agents: [flight, ►flight]}
      - {►agents: [sleeping]}
      - {►allow: [flight, sleeping]}
""",
        "exactly one of agents, allow",
        "exactly one of agents, allow",
        "has the id 'wether' (did you mean 'weather'?)",
        "has the id 'nobody'",
        "the same agent as listeners[0].rules[6].agents[0]",
        "all agents of this rule are disabled",
        "allows no enabled agent of this listener",
    )


def test_a_rule_with_more_agents_than_a_plan_may_have(
    expect_warnings: Callable[..., None],
) -> None:
    rest = listener("rules: [{►agents: [flight, sleeping, weather]}, {agents: [weather]}], ")
    expect_warnings(f"{rest}orchestrator: {{max_agents: 1}}", "never gets to weather")
    expect_warnings(f"{rest}orchestrator: {{max_agents: 2}}".replace("►", ""))


MODEL = AGENTS.replace('url: "http://h:1"', 'url: "http://h:1", model: m, fallback: flight')


def test_a_default_agent_with_a_model_needs_the_processor(
    expect_errors: Callable[..., None],
) -> None:
    expect_errors(
        MODEL
        + """
listeners:
  - {name: l, port: 1, on_unavailable: ►default_agent, agents: [{id: weather}]}
""",
        "listeners[0].on_unavailable: the default agent's `model` can only be set by the processor",
    )


def test_what_takes_over_has_no_filters_of_its_own(
    expect_errors: Callable[..., None], read: Callable[..., object]
) -> None:
    agents = "[{id: ►weather}, {id: flight, input_filters: [guard]}]"
    text = MODEL + f"listeners: [{{name: l, port: 1, agents: {agents}}}]\n"
    expect_errors(
        text,
        "listeners[0].agents[0].id: its fallback flight would pass round guard: "
        "put the same input_filters on weather",
    )
    read(text.replace("►weather", "weather, input_filters: [guard]"))


def test_what_has_no_effect_where_decisions_are_observed_is_told(
    expect_warnings: Callable[..., None],
) -> None:
    expect_warnings(
        f"""
{AGENTS}
listeners:
  - name: l
    port: 1
    mode: observe
    input_filters: [guard]
    ►on_unavailable: reject
    ►output_filters: [guard]
    agents: [{{id: weather}}]
""",
        "listeners[0].on_unavailable: has no effect with `mode: observe`",
        "listeners[0].output_filters: has no effect with `mode: observe`",
    )
