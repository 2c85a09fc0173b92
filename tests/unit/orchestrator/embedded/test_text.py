from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.orchestrator.embedded.text import (
    HEAD_CHARS,
    MAX_WORD_CHARS,
    TAIL_CHARS,
    clip,
    identifier_words,
    spoken_words,
    stem,
    words_and_marks,
)


def test_both_ends_of_a_long_text_are_kept() -> None:
    clipped = clip("begin " + "x" * 100_000 + " end")
    assert clipped.startswith("begin ")
    assert clipped.endswith(" end")
    assert len(clipped) == HEAD_CHARS + TAIL_CHARS + 1


def test_a_short_text_is_not_touched() -> None:
    assert clip("hello") == "hello"


def test_words_are_lower_case_and_without_accents() -> None:
    assert words_and_marks("Où est l'Hôtel?") == (["ou", "est", "l", "hotel"], "'?")
    assert words_and_marks("A Hotel, a_b?") == (["a", "hotel", "a", "b"], ",_?")


def word_by_word(text: str) -> tuple[list[str], str]:
    """What `words_and_marks` is to return, the slow way."""
    lower = text.lower()
    if not text.isascii():
        decomposed = unicodedata.normalize("NFD", lower)
        lower = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    found = re.findall(r"[^\W_]+|[^\w\s]|_", lower)
    spoken = [each for each in found if each[0].isalnum()]
    return spoken, "".join(each for each in found if not each[0].isalnum())


@given(st.one_of(st.text(), st.text(st.characters(max_codepoint=127))))
def test_the_fast_way_finds_the_same_words(text: str) -> None:
    assert words_and_marks(text) == word_by_word(text)


def test_punctuation_is_not_spoken() -> None:
    assert spoken_words("a_b, c!") == ["a", "b", "c"]


def test_a_run_without_blanks_is_cut() -> None:
    assert spoken_words("a" * 5000) == ["a" * MAX_WORD_CHARS]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("reserve", "reservations"),
        ("book", "bookings"),
        ("bill", "billing"),
        ("translate", "translation"),
        ("cancel", "cancelled"),
        ("city", "cities"),
    ],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


def test_short_words_are_their_own_stem() -> None:
    assert stem("bus") == "bus"


@pytest.mark.parametrize(
    ("identifier", "said"),
    [("flight_agent", "flight"), ("itHelpDesk", "it help desk"), ("agent", "agent")],
)
def test_an_id_says_its_words(identifier: str, said: str) -> None:
    assert identifier_words(identifier) == said
