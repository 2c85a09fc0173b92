from __future__ import annotations

from collections.abc import Callable

import pytest

from extproc.config.faults import Location
from extproc.config.pending import PENDING, has_effect, pattern, pending, pending_warnings
from extproc.config.schema import sections
from extproc.config.yaml_source import parse

TREE = parse(
    """
agents:
  - {id: a, url: x, fallback: null, mirror: {url: y}}
orchestrator: {strategy: embedded, on_none: reject}
listeners:
  - {mode: observe, execution: sequential, output_filters: [], port: 0}
filters: [{id: guard}]
""",
    "f",
)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of this test's own: the real one gets shorter with every feature."""
    rows = {
        "agents[].mirror": (),
        "agents[].fallback": (),
        "orchestrator.strategy": ("embedded",),
        "listeners[].mode": ("enforce",),
        "listeners[].execution": ("sequential",),
        "listeners[].output_filters": (),
        "filters": (),
    }
    monkeypatch.setattr("extproc.config.pending.PENDING", rows)


def test_every_row_names_a_key_that_exists() -> None:
    keys = {
        f"{at}.{name}".removeprefix(".") for at, each in sections() for name in each.model_fields
    }
    assert set(PENDING) - keys == set()


def test_what_a_file_asks_for_by_default_has_its_effect_already() -> None:
    """Writing a default down must not look like asking for what is not there."""
    defaults = {
        (at, name): field.default
        for at, each in sections()
        for name, field in each.model_fields.items()
    }
    for row, working in PENDING.items():
        section, _, name = row.rpartition(".")
        default = defaults[section, name]
        assert default in (None, (), {}) or default in working, row


@pytest.mark.usefixtures("table")
def test_keys_that_are_set_are_named_once_each() -> None:
    assert [fault.message for fault in pending_warnings(TREE, "f")] == [
        "agents[0].mirror: accepted, but has no effect yet",
        "listeners[0].mode: accepted, but has no effect yet",
        "filters: accepted, but has no effect yet",
    ]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (("agents", 0, "url"), False),
        (("agents", 0, "mirror"), True),
        (("agents", 0, "mirror", "url"), True),
        (("orchestrator", "strategy"), False),
        (("listeners", 0, "mode"), True),
        (("listeners", 0, "execution"), False),
        (("filters", 0, "id"), True),
    ],
)
def test_what_stands_in_a_pending_key_has_no_effect(location: Location, expected: bool) -> None:
    assert pending(TREE, location) is expected


@pytest.mark.usefixtures("table")
def test_a_key_has_an_effect_when_its_row_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_effect("agents[].mirror")
    monkeypatch.setattr("extproc.config.pending.PENDING", {})
    assert has_effect("agents[].mirror")
    assert pending_warnings(TREE, "f") == []


def test_any_index_is_the_same_key() -> None:
    assert pattern(("listeners", 12, "agents", 0, "id")) == "listeners[].agents[].id"


@pytest.mark.parametrize(
    ("way", "value"), [("endpoints", "['http://h']"), ("cluster", "c"), ("service", "'a.b:1'")]
)
def test_an_agent_needs_a_url_until_other_ways_land(
    expect_errors: Callable[..., None], monkeypatch: pytest.MonkeyPatch, way: str, value: str
) -> None:
    monkeypatch.setattr("extproc.config.pending.PENDING", {f"agents[].{way}": ()})
    expect_errors(
        f"""
version: v1
agents: [{{id: a, ►{way}: {value}}}]
listeners: [{{name: l, port: 1, agents: [{{id: a}}]}}]
""",
        "needs `url`: in this version",
    )
