from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from extproc.json_strings import replace_strings, strings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def walk(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        return [(path, value)]
    if isinstance(value, list):
        return [each for i, item in enumerate(value) for each in walk(item, (*path, i))]
    if isinstance(value, dict):
        return [each for key, item in value.items() for each in walk(item, (*path, key))]
    return []


@given(st.dictionaries(st.text(), JSON, max_size=5), st.booleans(), st.sampled_from((None, 2)))
def test_every_string_is_found_where_it_stands(
    document: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    body = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode("utf-8")
    found = list(strings(body))
    assert [(each.path, each.value) for each in found] == walk(document)
    assert [json.loads(body[slice(*each.place)]) for each in found] == [
        each.value for each in found
    ]


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_other_values_leave_every_other_byte(document: dict[str, Any]) -> None:
    body = json.dumps(document, ensure_ascii=False).encode("utf-8")
    found = list(strings(body))
    assert replace_strings(body, []) == body
    changed = json.loads(replace_strings(body, [(each.place, "x") for each in found]))
    assert walk(changed) == [(each.path, "x") for each in found]
    assert [*changed] == [*document]
