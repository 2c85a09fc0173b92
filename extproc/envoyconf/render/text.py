"""Envoy's messages as JSON values, and those as YAML."""

from __future__ import annotations

from typing import Any, Final

import yaml

_UNFOLDED: Final = 10_000


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as it is, and no value as an alias of another."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _sequence(dumper: _Dumper, value: tuple[Any, ...]) -> yaml.SequenceNode:
    return dumper.represent_list(list(value))


_Dumper.add_representer(str, _text)
_Dumper.add_representer(tuple, _sequence)


def as_json(message: Any) -> dict[str, Any]:  # noqa: ANN401 - any message of envoy_data_plane
    """Return a message as Envoy reads it."""
    # Any callable will do: betterproto2's own spells 5xx as 5_xx.
    document: dict[str, Any] = message.to_dict(casing=str)
    return document


def as_yaml(document: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    """Write a document, in its order.

    Unfolded: one value, one line, so that a difference between two files is easy to read.
    """
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=_UNFOLDED)
