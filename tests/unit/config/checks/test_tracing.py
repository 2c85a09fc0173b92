from __future__ import annotations

from collections.abc import Callable

import pytest

from extproc.config.load import Loaded

REST = """
version: v1
agents: [{id: a, url: "http://h"}]
listeners: [{name: l, port: 1, agents: [{id: a}]}]
"""


@pytest.mark.parametrize(
    ("tracing", "expected"),
    [
        ("{random_sampling: 5}", ["tracing: has no effect without `otlp_endpoint`"]),
        ("{random_sampling: 5, otlp_endpoint: 'http://h:4317'}", []),
        ("{}", []),
    ],
)
def test_spans_that_go_nowhere_are_told(
    tracing: str, expected: list[str], read: Callable[..., Loaded]
) -> None:
    warnings = read(f"{REST}tracing: {tracing}\n").warnings
    assert [warning.message for warning in warnings] == expected
