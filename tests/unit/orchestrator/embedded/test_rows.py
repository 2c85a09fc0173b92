from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.orchestrator.embedded.rows import CACHED_WORDS, Rows, WordRows


class Lengths:
    """Fills a row with how long its word is, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, words: Sequence[str], rows: Rows) -> None:
        assert not rows.any()
        self.asked += words
        rows[:] = [[len(word)] * 2 for word in words]


@pytest.fixture
def lengths() -> Lengths:
    return Lengths()


def test_each_word_has_its_row_however_often_it_comes(lengths: Lengths) -> None:
    rows = WordRows(2, lengths)(["a", "ccc", "a"])
    assert rows.tolist() == [[1, 1], [3, 3], [1, 1]]


def test_no_words_have_no_rows(lengths: Lengths) -> None:
    assert WordRows(2, lengths)([]).shape == (0, 2)


def test_a_word_is_worked_out_once(lengths: Lengths) -> None:
    rows = WordRows(2, lengths)
    rows(["a", "bb"])
    rows(["bb", "ccc"])
    assert lengths.asked == ["a", "bb", "ccc"]


def test_memory_is_bounded_whatever_words_come(lengths: Lengths) -> None:
    rows = WordRows(2, lengths)
    for number in range(CACHED_WORDS + 50):
        assert rows([f"w{number}"])[0, 0] == len(f"w{number}")
    assert len(rows) <= CACHED_WORDS


def test_a_text_of_more_words_is_read_all_the_same(lengths: Lengths) -> None:
    rows = WordRows(2, lengths)
    words = [f"w{number}" for number in range(CACHED_WORDS + 50)]
    assert rows(words)[:, 0].tolist() == [len(word) for word in words]
    assert rows(["a"]).tolist() == [[1, 1]]
    assert len(rows) <= CACHED_WORDS + 50


def test_threads_may_ask_at_once(lengths: Lengths) -> None:
    rows = WordRows(2, lengths)
    wrong: list[str] = []

    def ask(first: int) -> None:
        for number in range(first, first + 3000):
            word = "x" * (number % 50 + 1) + str(number)
            if rows([word, "a"]).tolist() != [[len(word)] * 2, [1, 1]]:
                wrong.append(word)

    threads = [threading.Thread(target=ask, args=(each * 1000,)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_rows_that_were_given_do_not_change(lengths: Lengths) -> None:
    rows = WordRows(2, lengths)
    given = rows(["a"])
    rows([f"w{number}" for number in range(CACHED_WORDS)])
    assert np.array_equal(given, [[1, 1]])


def test_words_that_are_asked_for_are_not_forgotten(lengths: Lengths) -> None:
    rows = WordRows(2, lengths, 10)
    for number in range(100):
        rows(["always", f"{number}", "often"] if number % 2 else ["always", f"{number}"])
    assert lengths.asked.count("always") == lengths.asked.count("often") == 1


def test_what_is_asked_once_costs_no_other_word_its_row(lengths: Lengths) -> None:
    rows = WordRows(2, lengths, 200)
    common = [f"common {number}" for number in range(30)]
    rows(common)
    for number in range(1000):
        before = len(lengths.asked)
        assert rows([common[number % 30], f"{number}"])[1, 0] == len(f"{number}")
        assert len(lengths.asked) == before + 1


@given(st.lists(st.lists(st.text("abc", max_size=2), max_size=8), max_size=30))
def test_each_row_is_its_words_whatever_came_before(asked: list[list[str]]) -> None:
    rows = WordRows(2, Lengths(), 6)
    for words in asked:
        assert rows(words)[:, 0].tolist() == [len(word) for word in words]
        assert len(rows) <= 6


def test_the_limit_may_be_lower(lengths: Lengths) -> None:
    rows = WordRows(2, lengths, 10)
    for number in range(100):
        assert rows([f"{number}", "always"])[:, 0].tolist() == [len(str(number)), 6]
        assert len(rows) <= 10
