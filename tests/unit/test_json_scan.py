from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.json_scan import JsonError, decode, elements, members, places
from tests.unit.json_bodies import HOSTILE, VALUES

DEPTH = 6
MANY = 500_000


def refuse(_: object) -> NoReturn:
    raise ValueError


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def reference(body: bytes) -> dict[str, Any] | None:
    """What the body must mean, by the plainest of means; None where it must be refused."""
    try:
        value = json.loads(body.decode(), object_pairs_hook=unique, parse_constant=refuse)
    except ValueError:
        return None
    return value if isinstance(value, dict) and depth(value) <= DEPTH else None


@settings(max_examples=400)
@given(HOSTILE)
def test_accepts_what_the_reference_accepts_and_means_the_same(body: bytes) -> None:
    expected = reference(body)
    if expected is None:
        assert members(body, DEPTH) is None
        with pytest.raises(JsonError):
            places(body, DEPTH)
        return
    found = places(body, DEPTH)
    assert list(found) == list(expected)
    assert {name: decode(body[slice(*place)]) for name, place in found.items()} == expected
    assert members(body, DEPTH) == expected


@given(st.lists(VALUES, max_size=4))
def test_elements_and_their_places(values: list[Any]) -> None:
    body = json.dumps({"a": "é", "list": values}, indent=1).encode()
    found = list(elements(body, places(body, 100)["list"]))
    assert [value for _, value in found] == values
    assert [json.loads(body[slice(*place)]) for place, _ in found] == values


@pytest.mark.parametrize(("commas", "decoded"), [(MANY - 2, True), (MANY - 1, False)])
def test_very_many_values_are_not_decoded_at_once(commas: int, decoded: bool) -> None:
    body = b'{"a":[%s1]}' % (b"1," * commas)
    assert (members(body, 2) is not None) == decoded
    assert list(places(body, 2)) == ["a"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the top level must be an object"),
        (b"[]", "the top level must be an object"),
        (b'{"a":1', "expecting a comma or the end of the object at byte 6"),
        (b'{"a":1,}', "expecting a key in double quotes at byte 7"),
        (b'{"a" 1}', "expecting a colon at byte 5"),
        (b'{"a":}', "expecting value at byte 5"),
        (b'{"a":[1 2]}', "expecting ',' delimiter at byte 8"),
        (b'{"a":"x', "unterminated string starting at byte 5"),
        (b'{"a":"\xc3\xa9\n"}', "invalid control character at byte 8"),
        (b'{"a":1} {}', "data after the end of the object at byte 8"),
        (b'{"a":1,"a":2}', "duplicate key at byte 7"),
        (b'{"o":{"a":1,"a":2}}', "duplicate key in the value at byte 5"),
        ('{"o":{"é":1,"\\u00e9":2}}'.encode(), "duplicate key in the value at byte 5"),
        (b'{"a":[NaN]}', "NaN is no number in the value at byte 5"),
        (b'{"a":-Infinity}', "-Infinity is no number in the value at byte 5"),
        (b'\xef\xbb\xbf{"a":1}', "a byte order mark is not allowed"),
        (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
        (b'{"a":"' + b"." * 2**20 + b'\xed\xa0\x80"}', f"not UTF-8 at byte {2**20 + 6}"),
        (b'{"a":"' + b"." * (2**20 - 7) + b'\xc3"}', f"not UTF-8 at byte {2**20 - 1}"),
        (b'{"a":[[1]]}', "nested deeper than 2 levels"),
        (b'{"a":[[[', "nested deeper than 2 levels"),
        (b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested deeper than 2 levels"),
        (b'{"a":[' + b"[]," * 1_000_000 + b"[]]}", "more than 1000000 objects and arrays"),
        (
            b"{" + b",".join(b'"%d":1' % n for n in range(10_001)) + b"}",
            "more than 10000 members",
        ),
    ],
)
def test_a_refusal_says_what_and_where(body: bytes, message: str) -> None:
    with pytest.raises(JsonError, match=f"^{message}$".replace("[", r"\[")):
        places(body, 2)


@given(st.binary(max_size=60))
def test_nothing_but_json_errors_leaves(body: bytes) -> None:
    members(body, 3)
    with suppress(JsonError):
        places(body, 3)
