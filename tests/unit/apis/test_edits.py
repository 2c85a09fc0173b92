from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.apis.edits import (
    AgentAnswer,
    Position,
    add_text,
    assistant_entry,
    encode,
    remove_elements,
)
from extproc.json_document import parse


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"t" :"\\u00e9 " , "n":1}', b'{"t" :"\\u00e9 \\n\\nmore" , "n":1}'),
        (b'{"t":""}', b'{"t":"more"}'),
        (b'{"t":null}', b'{"t":"more"}'),
        (b'{"n":1}', b'{"n":1,"t":"more"}'),
        (b'{"t":[ ]}', b'{"t":[{"type": "text", "text": "more"} ]}'),
        (b'{"t":[{"a":1} ]}', b'{"t":[{"a":1},{"type": "text", "text": "more"} ]}'),
    ],
)
def test_a_paragraph_is_added_and_the_rest_stays(body: bytes, expected: bytes) -> None:
    added = add_text(parse(body, max_depth=3), "t", "more")
    assert added.body == expected
    assert added.places == parse(expected, max_depth=3).places


@pytest.mark.parametrize(
    ("body", "position", "expected"),
    [
        (b'{"t" :"\\u00e9 " , "n":1}', "prepend", b'{"t" :"more\\n\\n\\u00e9 " , "n":1}'),
        (b'{"t":""}', "prepend", b'{"t":"more"}'),
        (b'{"n":1}', "prepend", b'{"n":1,"t":"more"}'),
        (b'{"t":[ ]}', "prepend", b'{"t":[{"type": "text", "text": "more"} ]}'),
        (b'{"t":[ {"a":1}]}', "prepend", b'{"t":[ {"type": "text", "text": "more"},{"a":1}]}'),
        (b'{"t" : "a" , "n":1}', "replace", b'{"t" : "more" , "n":1}'),
        (b'{"t":[{"a":1}], "n":1}', "replace", b'{"t":"more", "n":1}'),
        (b'{"t":null}', "replace", b'{"t":"more"}'),
        (b"{}", "replace", b'{"t":"more"}'),
    ],
)
def test_a_text_goes_before_others_or_in_their_place(
    body: bytes, position: Position, expected: bytes
) -> None:
    added = add_text(parse(body, max_depth=3), "t", "more", position)
    assert added.body == expected
    assert added.places == parse(expected, max_depth=3).places


@pytest.mark.parametrize(
    ("indexes", "expected"),
    [
        ([], b'[ 1.0 , {"a":2} ,3, [4] ]'),
        ([0], b'[ {"a":2} ,3, [4] ]'),
        ([1], b"[ 1.0 ,3, [4] ]"),
        ([3], b'[ 1.0 , {"a":2} ,3 ]'),
        ([0, 1], b"[ 3, [4] ]"),
        ([1, 2], b"[ 1.0, [4] ]"),
        ([0, 2], b'[ {"a":2}, [4] ]'),
        ([0, 3], b'[ {"a":2} ,3 ]'),
        ([2, 3], b'[ 1.0 , {"a":2} ]'),
        ([0, 1, 2, 3], b"[  ]"),
    ],
)
def test_elements_are_removed_and_the_rest_stays(indexes: list[int], expected: bytes) -> None:
    whole = b'{"t":[ 1.0 , {"a":2} ,3, [4] ] , "n":1}'
    left = remove_elements(parse(whole, max_depth=3), "t", indexes)
    assert left.body == b'{"t":%s , "n":1}' % expected
    assert left.places == parse(left.body, max_depth=3).places


@given(st.data(), st.lists(st.integers() | st.just([","]), max_size=6))
def test_any_elements_can_be_removed(data: st.DataObject, elements: list[object]) -> None:
    indexes = data.draw(st.sets(st.sampled_from(range(len(elements))))) if elements else set()
    document = parse(json.dumps({"t": elements}, indent=1).encode(), max_depth=3)
    left = remove_elements(document, "t", sorted(indexes))
    assert left.get("t") == [each for at, each in enumerate(elements) if at not in indexes]
    assert left.places == parse(left.body, max_depth=3).places


@given(st.text(), st.text())
def test_any_text_can_be_added(old: str, new: str) -> None:
    document = parse(
        json.dumps({"t": old}, ensure_ascii=False).encode(errors="replace"), max_depth=1
    )
    before = document.get("t")
    assert add_text(document, "t", new).get("t") == (f"{before}\n\n{new}" if before else new)


@pytest.mark.parametrize("text", ["é", "\ud800", '"\\\n', "\x00\u2028"])
def test_any_text_can_be_encoded(text: str) -> None:
    assert encode(text).isascii()
    assert json.loads(encode(text)) == text


def test_the_author_stands_where_the_api_has_it() -> None:
    answer = AgentAnswer("weather_agent", "sunny")
    entry = {"role": "assistant", "content": "sunny"}
    assert json.loads(assistant_entry(answer, named=False)) == entry
    assert json.loads(assistant_entry(answer, named=True)) == entry | {"name": "weather_agent"}
    assert "sunny" not in repr(answer)
