"""A configuration that may be shown."""

from __future__ import annotations

from typing import Any, Final

from extproc.config.model.root import Config

HIDDEN: Final = "***"


def redact(config: Config) -> dict[str, Any]:
    """Return the configuration as JSON values, defaults included, without secrets.

    Hidden are all access keys, and what may hold a secret as well: the values of headers that are
    added for agents, and texts in the options of filters and in `envoy`. URLs cannot hold one.
    """
    shown = config.model_dump(mode="json")
    for agent in shown["agents"]:
        agent["headers"] = dict.fromkeys(agent["headers"], HIDDEN)
    for each in shown["filters"]:
        each["options"] = _hide_texts(each["options"])
    shown["envoy"] = _hide_texts(shown["envoy"])
    return shown


def _hide_texts(value: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
    if isinstance(value, dict):
        return {key: _hide_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_hide_texts(inner) for inner in value]
    return HIDDEN if isinstance(value, str) else value
