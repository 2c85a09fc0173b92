from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extproc.calls import Call, CallFailed, Response
from extproc.config.load import loads
from extproc.config.model.root import Config
from extproc.filters import factory
from extproc.filters.factory import Filters
from extproc.filters.http import HttpFilter
from extproc.spans import NoTracer

YAML = """
version: v1
agents: [{{id: a, url: "http://h"}}]
filters:
  - {{id: one, url: "http://h", type: http, timeout: 3s, on_error: skip, forward_headers: [X-A]}}
  - {{id: two, url: "http://h", type: http, mode: shadow}}
  - {{id: tool, url: "http://h"}}
listeners:
  - {{name: l, port: 0, input_filters: [{listener}], agents: [{{id: a, input_filters: [{agent}]}}]}}
"""


class Way:
    async def __call__(self, _call: Call, /) -> Response:
        raise CallFailed("nobody is there")

    def open(self, _call: Call, /) -> Any:
        raise CallFailed("nobody is there")


def read(listener: str = "", agent: str = "") -> Config:
    text = YAML.format(listener=listener, agent=agent)
    return loads(text, "f.yaml", {}, Path("/base")).config


def test_a_chain_is_as_the_file_says() -> None:
    filters = Filters(read("one", "one, two"), Way(), NoTracer())
    first, second = filters.chain(("one", "two"), "a").links
    assert (first.id, first.timeout, first.skip_failed, first.shadow) == ("one", 3.0, True, False)
    assert (first.forwards, first.agent) == (frozenset({"x-a"}), "a")
    assert (second.id, second.skip_failed, second.shadow) == ("two", False, True)
    assert isinstance(first.filter, HttpFilter)
    assert filters.chain(("one",), "").links[0].filter is first.filter


def test_what_no_chain_names_is_not_made() -> None:
    assert Filters(read("one"), Way(), NoTracer()).services == []
    assert len(Filters(read("tool"), Way(), NoTracer()).services) == 1


def test_the_sdk_is_loaded_only_where_a_file_uses_it() -> None:
    code = "import sys, extproc.filters.factory; print('mcp' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Filters]:
    def make(plugin: Any) -> Filters:
        monkeypatch.setattr(factory, "load_plugin", lambda _name: plugin)
        config = read("one")
        mine = config.filters[0].model_copy(
            update={"type": "builtin", "use": "mine", "url": None, "options": {"x": "1"}}
        )
        return Filters(config.model_copy(update={"filters": (mine,)}), Way(), NoTracer())

    return make


def test_a_plugin_gets_its_options(use: Callable[[Any], Filters]) -> None:
    made: Any = use(dict).chain(("one",)).links[0].filter
    assert made == {"x": "1"}
