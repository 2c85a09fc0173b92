"""An event with texts in it that others are put in the place of, once they are decided."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from extproc.apis.sse import Event
from extproc.filters.builtin.personal.running import RunningText
from extproc.json_scan import Place
from extproc.json_strings import replace_strings

_LINE: Final = re.compile(rb"([^\r\n]*)(\r\n|\n|\r|\Z)")
_DATA: Final = re.compile(rb"data(: ?|\Z)")
_LOGPROBS: Final = re.compile(r'"logprobs"[ \t\n\r]*:[ \t\n\r]*(?=([\[{]))')


@dataclass(frozen=True, slots=True)
class Piece:
    """A string of an event that is part of a running text, and where it starts there."""

    place: Place
    value: str = field(repr=False)
    running: RunningText = field(repr=False)
    start: int

    @property
    def decided(self) -> bool:
        """Whether it is known what is left of it."""
        return self.start + len(self.value) <= self.running.decided


@dataclass(frozen=True, slots=True)
class Held:
    """An event that waits: `edits` are known already, `pieces` are not."""

    event: Event
    edits: tuple[tuple[Place, str], ...] = field(default=(), repr=False)
    pieces: tuple[Piece, ...] = ()

    @property
    def decided(self) -> bool:
        """Whether it can go."""
        return all(piece.decided for piece in self.pieces)

    def masked(self, mask: str) -> bytes:
        """Return the event as it may go on."""
        edits = list(self.edits)
        for piece in self.pieces:
            value = piece.running.masked(piece.value, piece.start, mask)
            if value != piece.value:
                edits.append((piece.place, value))
        if not edits:
            return self.event.raw
        data = replace_strings(self.event.data or b"", sorted(edits))
        return with_data(self.event.raw, without_logprobs(data))


def read_json(data: bytes) -> Mapping[str, Any] | None:
    """Return the object that an event's data is, None where it is none.

    As tolerant as clients are, who take the last of two members of a name. Numbers come as text.
    """
    try:
        value = json.loads(data.decode(), parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def without_logprobs(body: bytes) -> bytes:
    """Empty the `logprobs` of a masked body: they say the text once more, token by token."""
    text = body.decode("latin-1")  # one character a byte
    parts: list[bytes] = []
    done = 0
    while match := _LOGPROBS.search(text, done):
        end = _SCANNER.raw_decode(text, match.end())[1]
        parts += (body[done : match.end()], b"[]" if match[1] == "[" else b"null")
        done = end
    return b"".join((*parts, body[done:]))


_SCANNER: Final = json.JSONDecoder(parse_int=str, parse_float=str)


def with_data(raw: bytes, data: bytes) -> bytes:
    """Return an event's lines with other data; all other lines, and line ends, stay."""
    mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
    out = [mark]
    left: list[bytes] | None = data.split(b"\n")
    for line, end in _LINE.findall(raw.removeprefix(mark)):
        field_name = _DATA.match(line)
        if field_name is None:
            out += (line, end)
        elif left:
            out += (field_name[0] if b":" in field_name[0] else b"data:", left.pop(0), end)
    return b"".join(out)
