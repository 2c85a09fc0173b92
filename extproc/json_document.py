"""Strict JSON that keeps the client's bytes: what stands where, and edits that splice.

Bodies are checked once and never encoded again: an edit replaces a span of bytes, so unknown
members, the spelling of numbers, the order of keys and white space always survive.

The scan is the standard library's, in C. It runs over the bytes as Latin-1, where one character
is one byte: positions are byte offsets, and a character beyond ASCII does not blow up the whole
body to four bytes a character. Values are decoded from their own bytes, as UTF-8, when asked for.
"""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
Place: TypeAlias = tuple[int, int]
"""Byte offsets of a value in the body: start, and end (exclusive)."""

_MAX_MEMBERS: Final = 10_000
_MAX_CONTAINERS: Final = 1_000_000
"""No conversation comes near these; without them 20 MB of `[],` would cost a gigabyte."""

MAX_DEPTH: Final = 500
"""Levels of nesting that the scanner can follow."""

_CHUNK: Final = 2**20
_BLANKS: Final = re.compile(r"[ \t\n\r]*")
_COMMA: Final = re.compile(r"[ \t\n\r]*,?[ \t\n\r]*")
_SEPARATOR: Final = re.compile(r"[ \t\n\r]*([,}])[ \t\n\r]*")
_PLAIN_KEY: Final = re.compile(r'"([ !#-\[\]-~]*)"[ \t\n\r]*:[ \t\n\r]*')
"""A key of ASCII without escapes, up to its value."""
_TRAILING_COMMA: Final = re.compile(rb"[ \t\n\r]*,")
_TO_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NO_STRUCTURE: Final = bytes(set(range(256)) - set(b'"[]{}'))


class JsonError(ValueError):
    """The body is not JSON as RFC 8259 has it; the text is safe to show and quotes no content."""


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object: the bytes it came from and the place of each member's value.

    Edits return a new object. What they put in must be JSON already; it is not checked again.
    """

    body: bytes = field(repr=False)
    places: Mapping[str, Place] = field(repr=False, compare=False)

    def get(self, name: str) -> JsonValue:
        """Return the value of a member, freshly decoded; None where it is absent or null."""
        place = self.places.get(name)
        return None if place is None else _decode(self.body[slice(*place)])

    def is_array(self, name: str) -> bool:
        """Tell whether the member is there and an array, without decoding it."""
        place = self.places.get(name)
        return place is not None and self.body.startswith(b"[", place[0])

    def elements(self, name: str) -> Iterator[tuple[Place, JsonValue]]:
        """Yield place and value of each element of an array member, decoded one at a time."""
        offset, end = self.places[name]
        text = str(memoryview(self.body)[offset:end], "latin-1")
        plain = text.isascii()
        index = _skip(_BLANKS, text, 1)
        while text[index] != "]":
            value, end = _VALUES.raw_decode(text, index)
            place = offset + index, offset + end
            if not (plain or text[index:end].isascii()):
                value = _decode(self.body[slice(*place)])
            yield place, value
            index = _skip(_COMMA, text, end)

    def replace(self, name: str, value: bytes) -> JsonObject:
        """Return the object with another value of `name`, added at the end where it is missing."""
        if name in self.places:
            return self.splice(name, self.places[name], value)
        end = max(self.places.values(), default=(0, 0))[1] or self.body.index(b"{") + 1
        prefix = b"%s%s:" % (b"," if self.places else b"", json.dumps(name).encode())
        start = end + len(prefix)
        body = b"".join((self.body[:end], prefix, value, self.body[end:]))
        return JsonObject(body, {**self.places, name: (start, start + len(value))})

    def insert(self, name: str, index: int, elements: Sequence[bytes]) -> JsonObject:
        """Return the object with `elements` put before element `index` of the array `name`.

        `index` may be the array's length: they go to its end then. Raises IndexError beyond that.
        """
        if not elements:
            return self
        joined = b",".join(elements)
        places = [place for place, _ in self.elements(name)]
        if index < len(places):
            at, text = places[index][0], joined + b","
        elif index == len(places) and places:
            at, text = places[-1][1], b"," + joined
        elif index == 0:
            at, text = self.places[name][0] + 1, joined
        else:
            raise IndexError(index)
        return self.splice(name, (at, at), text)

    def remove(self, name: str) -> JsonObject:
        """Return the object without the member `name`, or itself where there is none."""
        if name not in self.places:
            return self
        start, end = self.places[name]
        before = [last for _, last in self.places.values() if last < start]
        if before:
            cut = max(before), end
        else:
            comma = _TRAILING_COMMA.match(self.body, end)
            cut = self.body.index(b"{") + 1, comma.end() if comma else end
        places = self._moved(cut[0], cut[0] - cut[1])
        del places[name]
        return JsonObject(self.body[: cut[0]] + self.body[cut[1] :], places)

    def splice(self, name: str, place: Place, text: bytes) -> JsonObject:
        """Return the object with `text` in place of some bytes within the value of `name`."""
        start, end = place
        growth = len(text) - (end - start)
        places = self._moved(start, growth)
        first, last = self.places[name]
        places[name] = (first, last + growth)
        return JsonObject(b"".join((self.body[:start], text, self.body[end:])), places)

    def _moved(self, start: int, growth: int) -> dict[str, Place]:
        """Return the places, with those that begin after `start` moved by `growth`."""
        return {
            member: (first + growth, last + growth) if first > start else (first, last)
            for member, (first, last) in self.places.items()
        }


def parse(body: bytes, *, max_depth: int) -> JsonObject:
    """Check a whole body (RFC 8259, in UTF-8) and find its members.

    Stricter than most parsers, so that no two services can read one body differently: a key may
    stand only once in an object, NaN and Infinity are no numbers, a byte order mark is refused.
    Numbers of any length and lone surrogates in escapes are legal and pass untouched.

    Args:
        body: The bytes as the client sent them.
        max_depth: Levels of nesting allowed, the object itself being the first; at most
            `MAX_DEPTH`.

    Raises:
        JsonError: It is not such a body, not an object, or nested too deeply.
    """
    _check_utf8(body)
    _check_structure(body, max_depth)
    text = body.decode("latin-1")
    try:
        places = _members(text, _ASCII_KEYS)
    except _KeyBeyondAscii:
        places = _members(text, _ANY_KEYS)
        for name in places:
            _check_keys(body, places[name])
    return JsonObject(body, places)


def _check_utf8(body: bytes) -> None:
    """Refuse bytes that are not UTF-8; by chunks, as text may be four times the size."""
    if body.isascii():
        return
    if body.startswith(codecs.BOM_UTF8):
        raise JsonError("a byte order mark is not allowed")
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(body), _CHUNK):
        end = min(start + _CHUNK, len(body))
        try:
            decoder.decode(body[start:end], final=end == len(body))
        except UnicodeDecodeError as error:
            raise JsonError(f"not UTF-8 at byte {end - len(error.object) + error.start}") from None


def _check_structure(body: bytes, max_depth: int) -> None:
    """Refuse bodies that nest too deeply, before the scanner recurses into them."""
    if body.count(b"{") + body.count(b"[") <= max_depth:
        return
    unescaped = body.replace(rb"\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    quoted = unescaped.translate(_TO_BRACKETS, _NO_STRUCTURE)
    brackets = b"".join(quoted.replace(b'""', b"").split(b'"')[::2])
    if len(brackets) > 2 * _MAX_CONTAINERS:
        raise JsonError(f"more than {_MAX_CONTAINERS} objects and arrays")
    depth = 0
    while depth <= max_depth:
        inner = brackets.replace(b"[]", b"")
        if len(inner) == len(brackets):
            break
        brackets = inner
        depth += 1
    # What is left was never closed: no JSON, but the scanner would descend before it sees that.
    if depth + brackets.count(b"[") > max_depth:
        raise JsonError(f"nested deeper than {max_depth} levels")


def _members(text: str, decoder: json.JSONDecoder) -> dict[str, Place]:
    """Scan the one object that `text` is; return the places of its members."""
    index = _skip(_BLANKS, text, 0)
    if not text.startswith("{", index):
        raise JsonError("the top level must be an object")
    index = _skip(_BLANKS, text, index + 1)
    if text.startswith("}", index):
        _check_end(text, _skip(_BLANKS, text, index + 1))
        return {}
    places: dict[str, Place] = {}
    more = True
    while more:
        plain = _PLAIN_KEY.match(text, index)
        name, start = (plain[1], plain.end()) if plain else _key(text, index, decoder)
        if name in places:
            raise JsonError(f"duplicate key at byte {index}")
        end = _scan(text, start, decoder)[1]
        places[name] = (start, end)
        separator = _SEPARATOR.match(text, end)
        if not separator:
            raise JsonError(f"expecting a comma or the end of the object at byte {end}")
        more = separator[1] == ","
        index = separator.end()
        if len(places) > _MAX_MEMBERS:
            raise JsonError(f"more than {_MAX_MEMBERS} members")
    _check_end(text, index)
    return places


def _check_end(text: str, index: int) -> None:
    if index != len(text):
        raise JsonError(f"data after the end of the object at byte {index}")


def _key(text: str, start: int, decoder: json.JSONDecoder) -> tuple[str, int]:
    """Return the key at `start`, however it is spelled, and where its value begins."""
    if not text.startswith('"', start):
        raise JsonError(f"expecting a key in double quotes at byte {start}")
    key, end = _scan(text, start, decoder)
    if not key.isascii():
        key = _decode(text[start:end].encode("latin-1"))
    colon = _skip(_BLANKS, text, end)
    if not text.startswith(":", colon):
        raise JsonError(f"expecting a colon at byte {colon}")
    return key, _skip(_BLANKS, text, colon + 1)


def _scan(text: str, start: int, decoder: json.JSONDecoder) -> tuple[Any, int]:
    """Scan one value; return what the decoder makes of it, and where it ends."""
    try:
        # `raw_decode` adds nothing but the error that is made here.
        return decoder.scan_once(text, start)  # type: ignore[attr-defined, no-any-return] # public, but not in the stubs
    except StopIteration as stop:
        raise JsonError(f"expecting value at byte {stop.value}") from None
    except json.JSONDecodeError as error:
        what = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
        raise JsonError(f"{what} at byte {error.pos}") from None
    except _Refused as refused:
        raise JsonError(f"{refused} in the value at byte {start}") from None


def _check_keys(body: bytes, place: Place) -> None:
    """Refuse duplicate keys in a value, spelled raw or by escapes, in any script."""
    try:
        _UNIQUE_KEYS.raw_decode(body[slice(*place)].decode())
    except _Refused as refused:
        raise JsonError(f"{refused} in the value at byte {place[0]}") from None


def _skip(pattern: re.Pattern[str], text: str, index: int) -> int:
    """Return where the match of `pattern` at `index` ends."""
    match = pattern.match(text, index)
    return match.end() if match else index


def _decode(value: bytes) -> Any:  # noqa: ANN401  the type is the document's
    """Decode one value that has been checked."""
    return _VALUES.raw_decode(value.decode())[0]


class _Refused(Exception):
    """Legal for the standard library's scanner, but not here."""


class _KeyBeyondAscii(Exception):
    """Read as Latin-1, a key cannot be told from another spelling of itself."""


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise _Refused("duplicate key")


def _unique_ascii(pairs: list[tuple[str, Any]]) -> None:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise _Refused("duplicate key")
    if not "".join(keys).isascii():
        raise _KeyBeyondAscii


def _no_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is no number")


def _nothing(_: object) -> None:
    """Keep nothing of what is only checked."""


def _integer(digits: str) -> int | float:
    """Convert as any Python is set to allow; longer than that, a float's precision will do."""
    return int(digits) if len(digits) <= sys.int_info.str_digits_check_threshold else float(digits)


def _checker(object_pairs_hook: Callable[[list[tuple[str, Any]]], None]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=object_pairs_hook,
        parse_int=_nothing,
        parse_float=_nothing,
        parse_constant=_no_constant,
    )


_ASCII_KEYS: Final = _checker(_unique_ascii)
_ANY_KEYS: Final = _checker(_nothing)
_UNIQUE_KEYS: Final = _checker(_unique)
_VALUES: Final = json.JSONDecoder(parse_int=_integer)
