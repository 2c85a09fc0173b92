from __future__ import annotations

import numpy as np
import pytest

from extproc.orchestrator.embedded.dense import Nearest, TokenTable, unit


def test_vectors_have_length_one_or_zero(table: TokenTable) -> None:
    vectors = table(["book a flight", "", "   ", "?!"])
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths[0] == pytest.approx(1)
    assert lengths[1] == lengths[2] == 0


def test_like_meanings_are_near(table: TokenTable) -> None:
    flight, plane, cheese = table(["book a flight", "reserve a plane ticket", "melted cheese"])
    assert flight @ plane > flight @ cheese + 0.2


def test_a_word_of_many_pieces_counts_as_one(table: TokenTable) -> None:
    whole, spelled = table.words(["weather", "qzxwvkjqzxwvkj"])
    assert np.linalg.norm(spelled) < np.linalg.norm(whole)


def test_a_text_does_not_depend_on_its_neighbours(table: TokenTable) -> None:
    alone = table(["will it rain"])[0]
    assert np.array_equal(table(["cheese", "will it rain"])[1], alone)


def test_a_word_that_cannot_be_spelled_says_nothing(table: TokenTable) -> None:
    assert not table.words(["\U0001f600"]).any()


def test_of_each_group_the_nearest_counts() -> None:
    groups = [np.array([[1, 0], [0, 1]], np.float32), np.array([[-1, 0]], np.float32)]
    assert Nearest(groups)(np.array([[0.6, 0.8]], np.float32)).tolist() == [
        [pytest.approx(0.8), pytest.approx(-0.6)]
    ]


def test_groups_of_one_are_their_products() -> None:
    vectors = np.array([[0.6, 0.8], [1, 0]], np.float32)
    assert np.array_equal(Nearest([vectors[:1], vectors[1:]])(vectors), vectors @ vectors.T)


def test_unit_keeps_rows_of_zeros() -> None:
    rows = unit(np.array([[3, 4], [0, 0]], np.float32))
    assert rows.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


def test_many_texts_are_read_as_each_alone(table: TokenTable) -> None:
    texts = [f"room {number} for a night" for number in range(100)]
    assert np.allclose(table(texts), np.concatenate([table([text]) for text in texts]), atol=1e-6)
