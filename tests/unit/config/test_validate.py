from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from extproc.config.validate import validate
from extproc.config.yaml_source import parse


def test_faults_of_both_kinds_are_found_at_once(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        """
version: v1
agents:
  - {id: weather, url: "http://h:1", timeout: ►soon, fallback: ►nobody}
  - {id: ►weather, url: "http://h:2"}
  - ►{url: "http://h:3", cluster: c}
  - ►{id: empty}
listeners:
  - name: l
    port: ►-1
    agents:
      - {id: ►wether, default: true}
      - {id: weather, default: ►true, ►unknown: 1}
  - ►{port: 2, agents: [{id: ►flight}]}
""",
        "agents[0].timeout",
        "no entry of `agents` has the id 'nobody'",
        "the same id as agents[0].id",
        "the key 'id' is missing",
        "exactly one of",
        "must be at least 0",
        "did you mean 'weather'?",
        "only one agent can be the default",
        "unknown key 'unknown'",
        "the key 'name' is missing",
        "has the id 'flight'",
    )


def test_nothing_follows_from_a_faulty_value(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        """
version: v1
agents:
  - {id: a, url: ►5}
  - {id: ►"b c", url: "http://h"}
orchestrator: {strategy: model, model: ►{url: "http://h", ►nam: x}}
listeners:
  - {name: l, port: ►x, agents: [{id: a}]}
  - {name: m, port: 0, agents: [{id: ►5}]}
admin: {port: 0}
""",
        "must be text",
        "must be 1 to 64 letters",
        "the key 'name' is missing",
        "unknown key 'nam' (did you mean 'name'?)",
        "must be a whole number",
        "must be text",
    )


def test_ids_of_faulty_agents_are_known(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        """
version: v1
agents:
  - {id: a, url: ►nowhere}
  - ►5
listeners: [{name: l, port: 1, agents: [{id: a}]}]
""",
        "must be a URL",
        "must be a mapping",
    )


def test_blank_values_are_as_if_they_were_not_there() -> None:
    text = """
version: v1
agents: [{id: a, url: x, mirror: {url: y}}, {id: b, endpoints: [x, "http://h"]}]
listeners: [{name: l, port: z, agents: [{id: a}]}]
"""
    blank = frozenset(
        {
            ("agents", 0, "url"),
            ("agents", 0, "mirror", "url"),
            ("agents", 1, "endpoints", 0),
            ("listeners", 0, "port"),
        }
    )
    errors = validate(parse(text, "f"), blank, "f", Path()).errors
    assert [error.path for error in errors] == []


def test_a_valid_tree_becomes_a_configuration() -> None:
    text = """
version: v1
agents: [{id: a, url: "http://h", tls: {ca: ca.pem}}]
listeners: [{name: l, port: 1, agents: [{id: a}]}]
"""
    validated = validate(parse(text, "f"), frozenset(), "f", Path("/base"))
    assert validated.errors == ()
    assert validated.config.agents[0].tls.ca == "/base/ca.pem"
