from __future__ import annotations

import json
from collections.abc import Callable

from extproc.config.load import Loaded
from extproc.config.redact import redact

TEXT = """
version: v1
agents:
  - id: a
    url: http://h
    timeout: 90s
    access_key: $KEY
    headers: {x-key: $KEY}
filters:
  - {id: f, type: builtin, use: mine, options: {token: $KEY, list: [$KEY, 3], deep: {on: true}}}
orchestrator: {model: {url: http://h, name: m, access_key: $KEY}}
listeners: [{name: l, port: 1, agents: [{id: a}]}]
"""


def test_a_configuration_is_shown_without_secrets(read: Callable[..., Loaded]) -> None:
    shown = redact(read(TEXT, {"KEY": "SECRET"}).config)
    assert "SECRET" not in json.dumps(shown)
    assert shown["agents"][0]["access_key"] == "***"
    assert shown["agents"][0]["headers"] == {"x-key": "***"}
    assert shown["filters"][0]["options"] == {
        "token": "***",
        "list": ["***", 3],
        "deep": {"on": True},
    }
    assert shown["orchestrator"]["model"]["access_key"] == "***"


def test_values_are_written_as_in_a_file(read: Callable[..., Loaded]) -> None:
    shown = redact(read(TEXT, {"KEY": "SECRET"}).config)
    assert shown["agents"][0]["timeout"] == "90s"
    assert shown["agents"][0]["idle_timeout"] == "5m"
    assert shown["limits"]["max_request_bytes"] == "32MiB"
    assert shown["agents"][0]["mirror"] is None
