from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import BaseModel

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


class Masks:
    class Options(BaseModel, extra="forbid"):
        kinds: tuple[str, ...]
        mask: str = "x"

    phases = frozenset({"input"})


@pytest.fixture
def masks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.config.checks.filters.load_plugin", lambda _name: Masks)


@pytest.mark.usefixtures("masks")
def test_the_options_of_a_filter_are_its_own(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        REST
        + """
filters:
  - {id: a, type: builtin, use: mine, options: {kinds: [x]}}
  - {id: b, type: builtin, use: mine, options: ►{}}
  - {id: c, type: builtin, use: mine, options: {kinds: [►3], ►maks: y}}
  - {id: d, type: builtin, use: ►pi}
""",
        "filters[1].options: the key 'kinds' is missing",
        "filters[2].options.kinds[0]: must be text",
        "filters[2].options.maks: unknown key 'maks' (did you mean 'mask'?)",
        "there is no filter 'pi' (did you mean 'pii'?)",
    )


@pytest.mark.usefixtures("masks")
def test_a_filter_stands_where_it_works(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        """
version: v1
agents: [{id: a, url: "http://h"}]
filters: [{id: f, type: builtin, use: mine, options: {kinds: [x]}}]
listeners:
  - name: l
    port: 1
    input_filters: [f]
    output_filters: [►f]
    agents: [{id: a, output_filters: [►f]}]
""",
        "the filter f does not work on answers",
        "the filter f does not work on answers",
    )


def test_a_key_that_means_nothing_for_a_type_is_named(expect_warnings: Callable[..., None]) -> None:
    expect_warnings(
        REST + 'filters: [{id: f, type: http, url: "http://h", ►tool: x}]',
        "filters[0].tool: has no effect on a filter of type http",
    )
