from __future__ import annotations

from collections.abc import Callable

from extproc.config.enabled import without_disabled
from extproc.config.load import Loaded

TEXT = """
version: v1
agents:
  - {id: a, url: http://h:1, fallback: off}
  - {id: off, url: http://h:2, enabled: false}
  - {id: b, url: http://h:3, fallback: a}
listeners:
  - name: l
    port: 1
    agents: [{id: off}, {id: a}, {id: b}]
    rules:
      - {agents: [off, a]}
      - {allow: [b, off]}
"""


def test_disabled_agents_are_not_there(read: Callable[..., Loaded]) -> None:
    config = read(TEXT).config
    assert [(agent.id, agent.fallback) for agent in config.agents] == [("a", None), ("b", "a")]
    listener = config.listeners[0]
    assert [agent.id for agent in listener.agents] == ["a", "b"]
    assert [rule.agents for rule in listener.rules] == [("a",), None]
    assert [rule.allow for rule in listener.rules] == [None, ("b",)]


def test_nothing_changes_where_all_are_enabled(read: Callable[..., Loaded]) -> None:
    config = read(TEXT.replace("enabled: false", "enabled: true")).config
    assert without_disabled(config) is config
