from __future__ import annotations

import pytest

from extproc.filters.builtin.injection.signs import sign


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ignore rules", True),
        ("ignore, now, the rules", True),
        ("ignore one two three rules", False),
        ("ignore my rules", False),
        ("ignore. rules", False),
        ("ignore(rules)", False),
        ("ignorerules", False),
    ],
)
def test_a_gap_is_of_few_words_within_a_sentence(text: str, *, shown: bool) -> None:
    assert sign("override", 1, "ignore", r"ignore~2 rules").is_in(text) is shown


def test_each_group_of_hints_needs_one() -> None:
    either = sign("override", 1, "a/b + c", "x")
    assert either.hints == (("a", "b"), ("c",))
    assert either.is_in("x b c")
    assert not either.is_in("x a b")
    assert not either.is_in("a c")


def test_a_gap_has_no_word_beyond_measure() -> None:
    assert not sign("override", 1, "ignore", r"ignore~9 rules").is_in(f"ignore {'a' * 25} rules")
