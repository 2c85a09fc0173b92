"""Where the strings of a JSON document stand, and other strings put in their place.

For documents that `json_document.parse` has checked: what is no string is passed over, so that
every other byte survives.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined] # public, but not in the stubs
from typing import Final

from extproc.json_scan import Place

Path = tuple[str | int, ...]
"""Keys and indexes from the top of the document."""

_MARK: Final = re.compile(r'["{}\[\],]')
_COLON: Final = re.compile(r"[ \t\n\r]*:")


@dataclass(frozen=True, slots=True)
class JsonString:
    """A string that is a value: `place` includes its quotes."""

    place: Place
    path: Path
    value: str = field(repr=False)


def strings(body: bytes) -> Iterator[JsonString]:
    """Yield the strings of a document that are values, in order."""
    text = body.decode("latin-1")  # one character a byte: places are byte offsets
    path: list[str | int] = []
    index = 0
    while mark := _MARK.search(text, index):
        index = mark.end()
        match mark[0]:
            case '"':
                index = scanstring(text, index, False)[1]  # noqa: FBT003 - its only form
                place = mark.start(), index
                if colon := _COLON.match(text, index):
                    index = colon.end()
                    path[-1] = _value(body, place)
                else:
                    yield JsonString(place, tuple(path), _value(body, place))
            case "{":
                path.append("")
            case "[":
                path.append(0)
            case ",":
                last = path[-1]
                if isinstance(last, int):
                    path[-1] = last + 1
            case _:
                path.pop()


def replace_strings(body: bytes, edits: Iterable[tuple[Place, str]]) -> bytes:
    """Return the document with other values at some places, which are in order."""
    parts: list[bytes] = []
    done = 0
    for (start, end), value in edits:
        parts += (body[done:start], json.dumps(value).encode())
        done = end
    return b"".join((*parts, body[done:]))


def _value(body: bytes, place: Place) -> str:
    value: str = json.loads(body[slice(*place)])
    return value
