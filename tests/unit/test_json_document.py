from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.json_document import JsonObject, parse
from extproc.json_scan import JsonError, places
from tests.unit.json_bodies import HOSTILE, VALUES, bodies


def whole(body: bytes, depth: int = 100) -> JsonObject:
    """The same as one of very many values, whose members are decoded when asked for."""
    return JsonObject(body, places(body, depth))


@given(HOSTILE)
def test_bodies_of_few_and_of_many_values_are_read_alike(body: bytes) -> None:
    try:
        large = whole(body)
    except JsonError as error:
        with pytest.raises(JsonError, match=f"^{re.escape(str(error))}$"):
            parse(body, max_depth=100)
        return
    small = parse(body, max_depth=100)
    assert small.places == large.places
    for name in (*large.places, "absent"):
        assert (name in small) == (name in large)
        assert small.get(name) == large.get(name)
        assert small.is_array(name) == large.is_array(name)
        if large.is_array(name):
            assert list(small.values(name)) == list(large.values(name)) == large.get(name)


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


def test_a_document_does_not_show_its_content() -> None:
    assert "secret" not in repr(parse(b'{"a":"secret"}', max_depth=1))
    assert parse(b'{"a":1}', max_depth=1) == JsonObject(b'{"a":1}', {})
    assert len({parse(b'{"a":1}', max_depth=1), whole(b'{"a":1}')}) == 1
    assert "secret" not in repr(whole(b'{"a":"secret"}'))
