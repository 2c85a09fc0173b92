from __future__ import annotations

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.usefixtures("all_features")

REST = """
version: v1
agents: [{id: a, url: "http://h"}]
listeners: [{name: l, port: 1, agents: [{id: a}]}]
"""


def test_filters_say_where_or_what_they_are(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        REST
        + """
filters:
  - {id: a, url: "http://h"}
  - {id: b, type: builtin, use: pii, options: {x: 1}}
  - ►{id: c}
  - ►{id: d, type: http}
  - ►{id: e, type: builtin}
  - {id: f, type: builtin, use: pii, ►url: "http://h"}
  - {id: g, url: "http://h", ►use: pii}
  - {id: ►a, url: "http://h"}
""",
        "type mcp needs `url`",
        "type http needs `url`",
        "type builtin needs `use`",
        "type builtin has no `url`",
        "type mcp has no `use`",
        "the same id as filters[0].id",
    )


@pytest.mark.parametrize(
    ("strategy", "needed"),
    [("model", "model"), ("embeddings", "embeddings"), ("cascade", "model")],
)
def test_a_strategy_has_the_server_it_asks(
    expect_errors: Callable[..., None], strategy: str, needed: str
) -> None:
    expect_errors(REST + f"orchestrator: {{strategy: ►{strategy}}}", f"set orchestrator.{needed}")


@pytest.mark.parametrize(
    "orchestrator",
    [
        "{strategy: embedded}",
        "{strategy: model, model: {url: 'http://h', name: m}}",
        "{strategy: cascade, model: {url: 'http://h', name: m}}",
        "{strategy: embeddings, embeddings: {url: 'http://h', name: m}}",
        "{strategy: cascade, embeddings: {url: 'http://h', name: m}}",
    ],
)
def test_strategies_that_can_work(read: Callable[..., object], orchestrator: str) -> None:
    read(REST + f"orchestrator: {orchestrator}")
