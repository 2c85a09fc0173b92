from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from extproc.orchestrator.embedded.counts import count_words, tally
from extproc.orchestrator.embedded.text import MAX_WORD_CHARS, STOP_WORDS, clip, spoken_words

TEXTS = st.lists(
    st.one_of(st.text(max_size=40), st.sampled_from(["a hotel, the hotel", "", "?", "to be"])),
    min_size=1,
    max_size=5,
)


def test_words_and_marks_are_counted_for_each_text() -> None:
    counted = count_words(["a hotel? a room", "", "room!"])
    found = [dict(zip(counted.words, row, strict=True)) for row in counted.counts.tolist()]
    assert found[0] == {"a": 2, "hotel": 1, "room": 1, "?": 1, "!": 0}
    assert set(found[1].values()) == {0}
    assert (found[2]["room"], found[2]["!"], found[2]["a"]) == (1, 1, 0)


def test_stop_words_and_marks_carry_no_content() -> None:
    assert count_words(["I want to do it!", "Find me a hotel, hotel"]).content_words == [0, 3]


@given(TEXTS)
def test_each_word_is_counted_as_often_as_it_is_said(texts: list[str]) -> None:
    counted = count_words(texts)
    for row, text in enumerate(texts):
        said = Counter(spoken_words(text))
        for column, word in enumerate(counted.words):
            if word.isalnum():
                assert counted.counts[row, column] == said[word]
        assert counted.content_words[row] == sum(
            count for word, count in said.items() if word not in STOP_WORDS
        )


@given(TEXTS)
def test_pairs_are_neighbours_of_one_text_of_which_one_means_something(texts: list[str]) -> None:
    counted = count_words(texts)
    pairs = counted.pairs
    found = [
        (row, counted.words[first], counted.words[second])
        for row, first, second, count in zip(
            pairs.rows, pairs.columns, pairs.columns[1:], pairs.count, strict=False
        )
        if count
    ]
    expected = [
        (row, first, second)
        for row, text in enumerate(texts)
        for first, second in zip(spoken_words(text), spoken_words(text)[1:], strict=False)
        if not {first, second} <= STOP_WORDS
    ]
    assert found == expected


def test_a_tally_counts_what_comes_together() -> None:
    counted = tally(np.array([0, 1, 1]), np.array([2, 0, 0]), (2, 3))
    assert counted.tolist() == [[0, 0, 1], [2, 0, 0]]


def test_long_words_and_long_texts_are_cut() -> None:
    long = "x" * 5000
    counted = count_words(["a", f"{long} b"])
    assert max(map(len, counted.words)) == MAX_WORD_CHARS
    assert counted.counts.sum() == 1 + len(spoken_words(clip(f"{long} b")))


def test_nothing_said_has_no_words() -> None:
    counted = count_words([""])
    assert counted.words == []
    assert counted.counts.shape == (1, 0)
    assert counted.content_words == [0]
