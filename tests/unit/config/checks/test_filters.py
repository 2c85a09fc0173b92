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
