from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from extproc.orchestrator.embedded.bm25 import Scores
from extproc.orchestrator.embedded.counts import count_words
from extproc.orchestrator.embedded.lexical import Lexical, word_weight
from extproc.orchestrator.embedded.text import STOP_WORDS, spoken_words

DOCUMENTS = [["weather forecasts for cities"], ["books flights", "cheap flight"], ["hotel rooms"]]
LEXICAL = Lexical(DOCUMENTS)
WORDS = ("cheap", "flight", "hotel", "rooms", "for", "the", "zzz", "booking", "?", "cities")
DOUBT = float(np.log1p((3 + 0.5) / 0.5)) / 2
"""Half the weight of a word that none of three agents has."""


@pytest.fixture
def lexical() -> Lexical:
    return Lexical(DOCUMENTS)


def score(lexical: Lexical, *texts: str) -> Scores:
    counted = count_words(texts)
    rows = np.zeros((len(counted.words), lexical.width), np.float32)
    lexical.fill(counted.words, rows)
    return lexical.scores(counted.counts @ rows, rows, counted.pairs)


@pytest.mark.parametrize(
    ("text", "agent"), [("forecast for a city", 0), ("booking a flight", 1), ("hotels", 2)]
)
def test_shared_stems_decide(lexical: Lexical, text: str, agent: int) -> None:
    assert score(lexical, text).argmax() == agent


def test_pieces_of_words_count(lexical: Lexical) -> None:
    [scores] = score(lexical, "megahotel")
    assert scores[2] > scores[1]


def test_pairs_of_words_count() -> None:
    lexical = Lexical([["credit card"], ["card for credit"]])
    [scores] = score(lexical, "credit card")
    assert scores[0] > scores[1]


def test_texts_do_not_touch_each_other() -> None:
    lexical = Lexical([["credit card"], ["card for credit"]])
    together = score(lexical, "my credit", "card please")
    alone = [score(lexical, text)[0].tolist() for text in ("my credit", "card please")]
    assert together.tolist() == [pytest.approx(each) for each in alone]


def test_a_stop_word_in_common_is_no_match(lexical: Lexical) -> None:
    assert score(lexical, "for").max() < 0.3 < score(lexical, "weather").max()


def test_nothing_in_common_scores_nothing(lexical: Lexical) -> None:
    assert score(lexical, "", "zzz").tolist() == [[0, 0, 0], [0, 0, 0]]


def test_marks_and_stop_words_weigh_less() -> None:
    assert word_weight("?") == 0 < word_weight("the") < word_weight("hotel") == 1


@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=12), min_size=1, max_size=4))
def test_texts_score_as_their_words_and_pairs_do_one_by_one(said: list[list[str]]) -> None:
    texts = [" ".join(words) for words in said]
    for text, found in zip(texts, score(LEXICAL, *texts), strict=True):
        words = spoken_words(text)
        rows = [row_of(word) for word in words]
        total, mass = sum(row[:-2] for row in rows), sum(row[-2] for row in rows)
        for pair in pairwise(words):
            if not STOP_WORDS.issuperset(pair):
                # What both words tell together, less what each of them tells.
                together = score(LEXICAL, " ".join(pair))[0].astype(float)
                total += together * (sum(row_of(word)[-2] for word in pair) + DOUBT)
                total -= sum(row_of(word)[:-2] for word in pair)
        assert found == pytest.approx(np.array(total / (mass + DOUBT)) * np.ones(3), abs=1e-5)


def row_of(word: str) -> NDArray[np.float64]:
    rows = np.zeros((1, LEXICAL.width), np.float32)
    LEXICAL.fill([word], rows)
    row: NDArray[np.float64] = rows[0].astype(float)
    return row
