from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.orchestrator.embedded.spelling import Spelling

SPELLING = Spelling({"night", "fight"}, ["flight", "hotel", "cat"])


@pytest.mark.parametrize("slip", ["fligth", "flght", "fliight", "flibht", "Fligth"])
def test_one_slip_is_read_as_the_agents_word(slip: str) -> None:
    assert SPELLING(f"a {slip}, please") == "a flight, please"


@pytest.mark.parametrize("text", ["fight", "flgt", "cta", "motel2", "", "日本語のテキスト"])
def test_other_words_stay(text: str) -> None:
    assert SPELLING(text) == text


def test_a_slip_is_corrected_wherever_it_stands() -> None:
    assert SPELLING("hotle? Fligth, flight; x_hotle_9 hotle9") == (
        "hotel? flight, flight; x_hotel_9 hotle9"
    )


@given(st.text(alphabet="flightHOe _.9é\u0301", max_size=60))
def test_each_word_is_read_as_if_alone(text: str) -> None:
    words = re.split(r"([^\W_]+)", text)
    assert SPELLING(text) == "".join(map(SPELLING, words))
