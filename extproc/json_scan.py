"""Reading JSON strictly (RFC 8259, in UTF-8): whether a body is right, and what stands where.

Stricter than most parsers, so that no two services can read one body differently: a key may stand
only once in an object, NaN and Infinity are no numbers, a byte order mark is refused. Numbers of
any length and lone surrogates in escapes are legal.

The scan is the standard library's, in C. It runs over the bytes as Latin-1, where one character
is one byte: positions are byte offsets, and a character beyond ASCII does not blow up the whole
body to four bytes a character. Values are decoded from their own bytes, as UTF-8, when asked for.
Unless there are very many, all are decoded at once instead: that is the whole work then.
"""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""Not to be changed by who gets it."""

Place: TypeAlias = tuple[int, int]
"""Byte offsets of a value in the body: start, and end (exclusive)."""

MAX_DEPTH: Final = 500
"""Levels of nesting that the scanner can follow."""

_AT_ONCE: Final = 500_000
"""Values that are decoded together: they take some 60 MB at the most, text not counted."""

_MAX_MEMBERS: Final = 10_000
_MAX_CONTAINERS: Final = 1_000_000
"""No conversation comes near these; without them 20 MB of `[],` would cost a gigabyte."""

_CHUNK: Final = 2**20
_PIECE: Final = 2**18
_BLANKS: Final = re.compile(r"[ \t\n\r]*")
_COMMA: Final = re.compile(r"[ \t\n\r]*,?[ \t\n\r]*")
_SEPARATOR: Final = re.compile(r"[ \t\n\r]*([,}])[ \t\n\r]*")
_PLAIN_KEY: Final = re.compile(r'"([ !#-\[\]-~]*)"[ \t\n\r]*:[ \t\n\r]*')
"""A key of ASCII without escapes, up to its value."""
_TO_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NO_STRUCTURE: Final = bytes(set(range(256)) - set(b'"[]{}'))


class JsonError(ValueError):
    """The body is not JSON as RFC 8259 has it; the text is safe to show and quotes no content."""


def members(body: bytes, max_depth: int) -> dict[str, JsonValue] | None:
    """Return the members of the object that a body is, decoded.

    None where they are very many, or where `places` is to say what is wrong with it.
    """
    if len(body) >= 2 * _AT_ONCE and _values(body) > _AT_ONCE:
        return None
    try:
        _check_structure(body, max_depth)
        text = body.decode()
        start = 0 if text.startswith("{") else _skip(_BLANKS, text, 0)
        value, end = _MEMBERS.scan_once(text, start)  # type: ignore[attr-defined] # public, but not in the stubs
    except (ValueError, StopIteration, _Refused):
        return None
    whole = end == len(text) or _skip(_BLANKS, text, end) == len(text)
    return value if whole and type(value) is dict and len(value) <= _MAX_MEMBERS else None


def places(body: bytes, max_depth: int) -> dict[str, Place]:
    """Check a whole body, and return where the values are of the object that it is.

    Raises:
        JsonError: It is not JSON, not an object, or nested deeper than `max_depth` levels (the
            object itself is the first), which may be up to `MAX_DEPTH`.
    """
    _check_utf8(body)
    _check_structure(body, max_depth)
    text = body.decode("latin-1")
    try:
        return _places(text, _ASCII_KEYS)
    except _KeyBeyondAscii:
        found = _places(text, _ANY_KEYS)
        for place in found.values():
            _check_keys(body, place)
        return found


def decode(value: bytes) -> JsonValue:
    """Decode one value that has been checked."""
    decoded: JsonValue = _VALUES.raw_decode(value.decode())[0]
    return decoded


def elements(body: bytes, place: Place) -> Iterator[tuple[Place, JsonValue]]:
    """Yield place and value of each element of a checked array, decoded one at a time."""
    offset, end = place
    whole = memoryview(body)
    text = str(whole[offset:end], "latin-1")
    plain = text.isascii()
    index = _skip(_BLANKS, text, 1)
    while text[index] != "]":
        value, end = _VALUES.raw_decode(text, index)
        found = offset + index, offset + end
        if not (plain or text[index:end].isascii()):
            # A large one is not to be held twice.
            value = None
            value = _VALUES.raw_decode(str(whole[slice(*found)], "utf-8"))[0]
        yield found, value
        index = _skip(_COMMA, text, end)


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


def _values(body: bytes) -> int:
    """Return how many values a body may have at the most: each begins after one of these."""
    # Slow to import. `bytes.count` looks at one byte after the other, ten times as long.
    import numpy as np

    data = np.frombuffer(body, np.uint8)
    # What is made of a piece stays in the cache; of all of it, it would be new memory each time.
    pieces = (data[start : start + _PIECE] for start in range(0, len(body), _PIECE))
    return sum(int(np.count_nonzero(piece == each)) for piece in pieces for each in b",[{")


def _stands(byte: bytes, body: bytes, most: int) -> int:
    """Return how often a byte stands in a body; more than `most` are not counted."""
    count, at = 0, body.find(byte)
    while at >= 0 and count <= most:
        count += 1
        at = body.find(byte, at + 1)
    return count


def _check_structure(body: bytes, max_depth: int) -> None:
    """Refuse bodies that nest too deeply, before the scanner recurses into them."""
    # What is rare is found at the speed of memory, but counted byte by byte.
    if _stands(b"{", body, max_depth) + _stands(b"[", body, max_depth) <= max_depth:
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


def _places(text: str, decoder: json.JSONDecoder) -> dict[str, Place]:
    """Scan the one object that `text` is; return the places of its members."""
    index = _skip(_BLANKS, text, 0)
    if not text.startswith("{", index):
        raise JsonError("the top level must be an object")
    index = _skip(_BLANKS, text, index + 1)
    if text.startswith("}", index):
        _check_end(text, _skip(_BLANKS, text, index + 1))
        return {}
    found: dict[str, Place] = {}
    more = True
    while more:
        plain = _PLAIN_KEY.match(text, index)
        name, start = (plain[1], plain.end()) if plain else _key(text, index, decoder)
        if name in found:
            raise JsonError(f"duplicate key at byte {index}")
        end = _scan(text, start, decoder)[1]
        found[name] = (start, end)
        separator = _SEPARATOR.match(text, end)
        if not separator:
            raise JsonError(f"expecting a comma or the end of the object at byte {end}")
        more = separator[1] == ","
        index = separator.end()
        if len(found) > _MAX_MEMBERS:
            raise JsonError(f"more than {_MAX_MEMBERS} members")
    _check_end(text, index)
    return found


def _check_end(text: str, index: int) -> None:
    if index != len(text):
        raise JsonError(f"data after the end of the object at byte {index}")


def _key(text: str, start: int, decoder: json.JSONDecoder) -> tuple[str, int]:
    """Return the key at `start`, however it is spelled, and where its value begins."""
    if not text.startswith('"', start):
        raise JsonError(f"expecting a key in double quotes at byte {start}")
    key, end = _scan(text, start, decoder)
    if not key.isascii():
        key = str(decode(text[start:end].encode("latin-1")))
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


class _Refused(Exception):
    """Legal for the standard library's scanner, but not here."""


class _KeyBeyondAscii(Exception):
    """Read as Latin-1, a key cannot be told from another spelling of itself."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Refused("duplicate key")
    return members


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


def _checker(object_pairs_hook: Callable[[list[tuple[str, Any]]], object]) -> json.JSONDecoder:
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
_MEMBERS: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_constant=_no_constant
)
