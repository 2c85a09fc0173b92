"""Keys whose feature is not there yet: accepted, and warned about by name.

A feature that lands removes its rows, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from extproc.config.faults import Fault, Location, path_text
from extproc.config.yaml_source import Node

_NO_EFFECT: Final = "accepted, but has no effect yet"

PENDING: Final[Mapping[str, tuple[str | bool, ...]]] = {
    # key: the values of it that work already
    "agents[].cluster": (),
    "agents[].service": (),
    "listeners[].mode": ("enforce",),
    "egress.url": (),
}


def has_effect(key: str) -> bool:
    """Tell whether a key such as `agents[].url` does something whatever its value is."""
    return key not in PENDING


def pending(tree: Node, location: Location) -> bool:
    """Tell whether a value of the tree has no effect yet, by itself or with what it stands in."""
    prefixes = (location[:length] for length in range(1, len(location) + 1))
    return any(_is_listed(prefix, tree.at(prefix)) for prefix in prefixes)


def pending_warnings(tree: Node, file: str) -> list[Fault]:
    """Name every key of the file that has no effect yet; nulls and empty lists ask for none."""
    return [
        node.fault(file, f"{path_text(node.path)}: {_NO_EFFECT}", at_key=True)
        for location, node in tree.walk()
        if _is_listed(location, node) and node.value not in ((), None)
    ]


def _is_listed(location: Location, node: Node | None) -> bool:
    working = PENDING.get(pattern(location))
    return working is not None and (node is None or node.value not in working)


def pattern(location: Location) -> str:
    """Write a location with any index: `agents[].url`."""
    return re.sub(r"\[\d+\]", "[]", path_text(location))
