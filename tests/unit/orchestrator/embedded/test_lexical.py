from __future__ import annotations

import pytest

from extproc.orchestrator.embedded.lexical import CACHED_WORDS, Lexical

DOCUMENTS = [["weather forecasts for cities"], ["books flights", "cheap flight"], ["hotel rooms"]]


@pytest.fixture
def lexical() -> Lexical:
    return Lexical(DOCUMENTS)


@pytest.mark.parametrize(
    ("text", "agent"), [("forecast for a city", 0), ("booking a flight", 1), ("hotels", 2)]
)
def test_shared_stems_decide(lexical: Lexical, text: str, agent: int) -> None:
    assert lexical(text).argmax() == agent


def test_pieces_of_words_count(lexical: Lexical) -> None:
    assert lexical("megahotel")[2] > lexical("megahotel")[1]


def test_pairs_of_words_count() -> None:
    lexical = Lexical([["credit card"], ["card for credit"]])
    scores = lexical("credit card")
    assert scores[0] > scores[1]


def test_a_stop_word_in_common_is_no_match(lexical: Lexical) -> None:
    assert lexical("for").max() < 0.3 < lexical("weather").max()


def test_nothing_in_common_scores_nothing(lexical: Lexical) -> None:
    assert lexical("").tolist() == [0, 0, 0]
    assert lexical("zzz").tolist() == [0, 0, 0]


def test_words_tell_what_they_add(lexical: Lexical) -> None:
    assert lexical.words("cheap hotel")["hotel"].argmax() == 2


def test_memory_is_bounded_whatever_words_come(lexical: Lexical) -> None:
    for number in range(CACHED_WORDS + 50):
        lexical(f"w{number}")
    assert lexical._word.cache_info().currsize == CACHED_WORDS
