from __future__ import annotations

import pytest

from extproc.orchestrator.embedded.text import (
    HEAD_CHARS,
    MAX_WORD_CHARS,
    TAIL_CHARS,
    clip,
    content_words,
    identifier_words,
    spoken_words,
    stem,
    words,
)


def test_both_ends_of_a_long_text_are_kept() -> None:
    clipped = clip("begin " + "x" * 100_000 + " end")
    assert clipped.startswith("begin ")
    assert clipped.endswith(" end")
    assert len(clipped) == HEAD_CHARS + TAIL_CHARS + 1


def test_a_short_text_is_not_touched() -> None:
    assert clip("hello") == "hello"


def test_words_are_lower_case_and_without_accents() -> None:
    assert words("Où est l'Hôtel?") == ["ou", "est", "l", "'", "hotel", "?"]


def test_punctuation_is_not_spoken() -> None:
    assert spoken_words("a_b, c!") == ["a", "b", "c"]


def test_a_run_without_blanks_is_cut() -> None:
    assert words("a" * 5000) == ["a" * MAX_WORD_CHARS]


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


def test_stop_words_carry_no_content() -> None:
    assert content_words("I want to do it") == 0
    assert content_words("Find me a hotel") == 2
