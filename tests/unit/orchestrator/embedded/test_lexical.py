from __future__ import annotations

import numpy as np
import pytest

from extproc.orchestrator.embedded.bm25 import Scores
from extproc.orchestrator.embedded.counts import count_words
from extproc.orchestrator.embedded.lexical import Lexical, word_weight

DOCUMENTS = [["weather forecasts for cities"], ["books flights", "cheap flight"], ["hotel rooms"]]


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
