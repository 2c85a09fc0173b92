from __future__ import annotations

import numpy as np

from extproc.orchestrator.embedded.bm25 import Posting
from extproc.orchestrator.embedded.counts import count_words
from extproc.orchestrator.embedded.pairs import PairScores

POSTINGS = {
    ("credit", "card"): Posting(np.array([1]), np.array([2.0], np.float32), 2.0),
    ("card", "reader"): Posting(np.array([0, 1]), np.array([3.0, 1.0], np.float32), 3.0),
}


def add(*texts: str) -> list[list[float]]:
    pairs = PairScores(POSTINGS, 2)
    counted = count_words(texts)
    total = np.zeros((len(texts), 2), np.float32)
    numbers = np.array([pairs.number(word) for word in counted.words], np.intp)
    pairs.add(total, counted.pairs, numbers)
    found: list[list[float]] = total.tolist()
    return found


def test_pairs_that_agents_use_count() -> None:
    assert add("a credit card reader", "credit card, credit card") == [[3, 3], [0, 4]]


def test_others_do_not() -> None:
    assert add("card credit", "credit, the card", "reader reader", "") == [[0, 0]] * 4


def test_the_last_word_of_a_text_makes_none_with_the_next_text() -> None:
    assert add("credit", "card") == [[0, 0], [0, 0]]


def test_agents_may_use_none() -> None:
    pairs = PairScores({}, 2)
    counted = count_words(["credit card"])
    total = np.zeros((1, 2), np.float32)
    pairs.add(total, counted.pairs, np.zeros(2, np.intp))
    assert not total.any()
