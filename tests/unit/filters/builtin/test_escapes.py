from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.filters.builtin.escapes import blank_escapes


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        ("plain", "plain"),
        (r"a\nb", "a\n\nb"),
        (r"a\u00e9b", "a" + "\n" * 6 + "b"),
        (r"a\\nb", r"a\\nb"),
        (r"say \"it\"", r"say \"it\""),
        ("cut\\", "cut\\"),
    ],
)
def test_the_letters_of_escapes_are_no_words(text: str, blank: str) -> None:
    assert blank_escapes(text) == blank


@given(st.text())
def test_every_place_stays_where_it_is(text: str) -> None:
    nested = json.dumps(text)
    blank = blank_escapes(nested)
    assert len(blank) == len(nested)
    assert all(new in {old, "\n"} for old, new in zip(nested, blank, strict=True))
