from __future__ import annotations

import pytest

from extproc.orchestrator.embedded.spelling import Spelling

SPELLING = Spelling({"night", "fight"}, ["flight", "hotel", "cat"])


@pytest.mark.parametrize("slip", ["fligth", "flght", "fliight", "flibht", "Fligth"])
def test_one_slip_is_read_as_the_agents_word(slip: str) -> None:
    assert SPELLING(f"a {slip}, please") == "a flight, please"


@pytest.mark.parametrize("text", ["fight", "flgt", "cta", "motel2", "", "日本語のテキスト"])
def test_other_words_stay(text: str) -> None:
    assert SPELLING(text) == text
