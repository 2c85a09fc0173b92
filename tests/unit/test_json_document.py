from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.json_document import JsonError, JsonObject, parse

DEPTH = 6


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


TEXTS = st.text() | st.sampled_from(["é", "Ã©", '"', "\\", "[[{", "\ud800", "🌞", "\n"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    value = draw(st.dictionaries(TEXTS, VALUES, max_size=5))
    indent = draw(st.sampled_from([None, 0, "\t"]))
    separators = draw(st.sampled_from([None, (",", ":"), (" ,\r\n", " : ")]))
    if draw(st.booleans()):
        # Lone surrogates have no UTF-8: they stand as escapes only.
        with suppress(UnicodeEncodeError):
            text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
            return text.encode()
    return json.dumps(value, indent=indent, separators=separators).encode()


@st.composite
def damaged_bodies(draw: st.DrawFn) -> bytes:
    body = draw(bodies())
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(start + 6, len(body))))
        body = body[:start] + draw(st.sampled_from(PIECES) | st.binary(max_size=3)) + body[end:]
    return body


PIECES = [
    *(b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\x0c", b'"', b"\\", b"{}", b"[]"),
    *(b'"a"', b'"a":', b'"\\u0061":1', b'"\xc3\xa9":1', b'"\\u00e9":1', b'"\\u00c3\\u00a9":1'),
    *(b"0", b"01", b"-", b"1.", b"1e5", b"NaN", b"-Infinity", b"null", b"tru", b'"\\ud800"'),
    *(b"\xc3", b"\xa9", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc2\xa0", b"\x00"),
]
TOKENS = st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)


@settings(max_examples=400)
@given(bodies() | damaged_bodies() | TOKENS | TOKENS.map(lambda inner: b'{"m":%s}' % inner))
def test_accepts_what_the_reference_accepts_and_means_the_same(body: bytes) -> None:
    expected = reference(body)
    if expected is None:
        with pytest.raises(JsonError):
            parse(body, max_depth=DEPTH)
        return
    document = parse(body, max_depth=DEPTH)
    assert list(document.places) == list(expected)
    assert {name: document.get(name) for name in document.places} == expected


@given(bodies(), VALUES)
def test_edits_touch_their_span_only(body: bytes, value: object) -> None:
    document = edited = parse(body, max_depth=100)
    text = json.dumps(value).encode()
    for name, (start, end) in document.places.items():
        assert json.loads(body[start:end]) == document.get(name)
        assert document.replace(name, body[start:end]) == document
        replaced = document.replace(name, text)
        assert replaced.body == body[:start] + text + body[end:]
        edited = edited.replace(name, text)
    edited = edited.replace("one more", text)
    expected = dict.fromkeys([*document.places, "one more"], value)
    assert json.loads(edited.body) == expected
    assert edited.places == parse(edited.body, max_depth=100).places


@given(bodies(), st.data())
def test_what_is_removed_is_gone_and_nothing_else(body: bytes, data: st.DataObject) -> None:
    document = left = parse(body, max_depth=100)
    assert document.remove("not there, surely") is document
    for name in data.draw(st.permutations(list(document.places))):
        left = left.remove(name)
        expected = {each: document.get(each) for each in document.places if each in left.places}
        assert name not in left.places
        assert json.loads(left.body) == expected
        assert left.places == parse(left.body, max_depth=100).places


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a", b'{ "b" : 2 ,\n"c":3 }'),
        ("b", b'{ "a": 1 ,\n"c":3 }'),
        ("c", b'{ "a": 1 , "b" : 2 }'),
    ],
)
def test_a_removal_leaves_every_other_byte(name: str, body: bytes) -> None:
    document = parse(b'{ "a": 1 , "b" : 2 ,\n"c":3 }', max_depth=1)
    assert document.remove(name).body == body


def test_a_splice_changes_part_of_a_value() -> None:
    document = parse(b'{"a": "xyz","b":1}', max_depth=1)
    spliced = document.splice("a", (7, 9), b"1234")
    assert spliced.body == b'{"a": "1234z","b":1}'
    assert (spliced.get("a"), spliced.get("b")) == ("1234z", 1)


@given(st.lists(VALUES, max_size=4), st.lists(VALUES, max_size=3), st.data())
def test_elements_go_in_anywhere(old: list[Any], new: list[Any], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(old)))
    text = json.dumps({"a": 1, "list": old, "z": "é"}, indent=1, ensure_ascii=False)
    document = parse(text.encode(errors="replace"), max_depth=100)
    before = [value for _, value in document.elements("list")]
    inserted = document.insert("list", index, [json.dumps(value).encode() for value in new])
    reparsed = parse(inserted.body, max_depth=100)
    assert reparsed.get("list") == [*before[:index], *new, *before[index:]]
    assert inserted.places == reparsed.places
    for (start, end), value in inserted.elements("list"):
        assert json.loads(inserted.body[start:end]) == value


def test_an_edit_leaves_every_other_byte() -> None:
    body = (
        b'{ "n": 1.0e0 ,\n\t"model"  :"a\\u0062" , "big":100000000000000000000.00, "x":"\\ud800" }'
    )
    edited = parse(body, max_depth=9).replace("model", b'"m"')
    assert edited.body == body.replace(b'"a\\u0062"', b'"m"')


def test_a_member_is_added_to_an_empty_object() -> None:
    assert parse(b" { } ", max_depth=1).replace('a"b', b"1").body == b' {"a\\"b":1 } '


def test_no_elements_beyond_the_end() -> None:
    document = parse(b'{"m":[1]}', max_depth=2)
    assert document.insert("m", 7, []) is document
    with pytest.raises(IndexError):
        document.insert("m", 2, [b"1"])


def test_absent_null_and_other_types() -> None:
    document = parse(b'{"null":null,"list":[],"text":"[]"}', max_depth=2)
    assert document.get("absent") is None
    assert document.get("null") is None
    assert [name for name in ("absent", *document.places) if document.is_array(name)] == ["list"]


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
        parse(body, max_depth=2)


@pytest.mark.parametrize(
    "text", [r'"[[[{{{"', r'"\"[[[{{{"', r'"\\\"[[[{{{"', r'"\n\"[["', r'["\\","[[[["]']
)
def test_brackets_in_text_are_no_nesting(text: str) -> None:
    parse(b'{"a":%s}' % text.encode(), max_depth=2)


def test_the_deepest_that_is_allowed_passes() -> None:
    levels = 500
    body = b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"
    value = parse(body, max_depth=levels).get("a")
    while value:
        assert isinstance(value, list)
        value = value[0]
        levels -= 1
    assert levels == 2


@pytest.mark.parametrize("number", [b"9" * 10_000_000, b"0." + b"1" * 10_000_000, b"-1e99999999"])
def test_numbers_of_any_length_pass_untouched(number: bytes) -> None:
    document = parse(b'{"a":' + number + b',"m":[' + number + b"]}", max_depth=2)
    start, end = document.places["a"]
    assert document.body[start:end] == number
    assert all(isinstance(value, float) for _, value in document.elements("m"))


def test_integers_within_any_python_s_limit_are_exact() -> None:
    digits = "7" * sys.int_info.str_digits_check_threshold
    assert parse(b'{"a":%s}' % digits.encode(), max_depth=1).get("a") == int(digits)


@given(st.binary(max_size=60))
def test_nothing_but_json_errors_leaves(body: bytes) -> None:
    with suppress(JsonError):
        parse(body, max_depth=3)


def test_a_document_does_not_show_its_content() -> None:
    assert "secret" not in repr(parse(b'{"a":"secret"}', max_depth=1))
    assert parse(b'{"a":1}', max_depth=1) == JsonObject(b'{"a":1}', {})
