"""The texts of a body: all that somebody wrote, whatever the API and wherever it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from extproc.json_strings import JsonString, Path, strings

_NO_TEXT: Final = frozenset(
    {
        *("type", "role", "object", "model", "status", "id", "name", "index", "format"),
        *("finish_reason", "stop_reason", "stop_sequence", "service_tier", "system_fingerprint"),
        *("signature", "encrypted_content", "media_type", "tool_choice"),
    }
)
"""Members whose strings are names, marks or encoded bytes; so are those that end in `_id`."""
_FREE: Final = frozenset({"input", "arguments", "output", "metadata"})
"""Members that hold anything: below them every string may be a text."""


_DATA_URL: Final = re.compile(r"data:[\w.+/;=-]{0,200};base64,[A-Za-z0-9+/=\r\n]*")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\r\n]{64,}={0,2}[\r\n]*")
"""Longer than a key. Both as a whole: a text may begin like anything."""


def texts(body: bytes) -> Iterator[JsonString]:
    """Yield the strings of a checked JSON body that may hold text, in order.

    Unknown members count as text: better one too many than one that no filter sees.
    """
    return (
        each
        for each in strings(body)
        if is_text(each.path)
        and not _DATA_URL.fullmatch(each.value)
        and not (each.path[-1] == "data" and _BASE64.fullmatch(each.value))
    )


def is_text(path: Path) -> bool:
    """Tell whether the string at a path may hold text."""
    keys = [part for part in path if isinstance(part, str)]
    if not _FREE.isdisjoint(keys[1:-1]):
        return True
    return keys[-1] not in _NO_TEXT and not keys[-1].endswith("_id")
