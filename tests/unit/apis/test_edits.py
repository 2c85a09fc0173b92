from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.apis.edits import AgentAnswer, add_text, assistant_entry, encode
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
