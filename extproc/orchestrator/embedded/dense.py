"""Texts as unit vectors, by a table of token embeddings."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from extproc.orchestrator.embedded.counts import count_words
from extproc.orchestrator.embedded.text import DATA
from extproc.orchestrator.embedded.tokens import WordPiece

Vectors = NDArray[np.float32]
"""A row for each text or word; one that says nothing has a row of zeros."""

TINY: Final = np.finfo(np.float32).tiny

_BATCH: Final = 32
"""Texts whose words are counted at once: a catalogue has more words than a turn."""


class Vectorizer(Protocol):
    """Where vectors come from: the shipped table here, a server for the embeddings strategy."""

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Return one unit row for each text."""
        ...


class TokenTable:
    """Static embeddings: a text's vector is the mean of its tokens' rows.

    `rows` are 8-bit integers that `scales`, a column, turns into the embeddings of the tokens.
    """

    def __init__(self, pieces: WordPiece, rows: NDArray[np.int8], scales: Vectors) -> None:
        self.vocabulary = pieces.vocabulary
        self._pieces = pieces.pieces
        # One more, of zeros, for what cannot be spelled.
        self._tokens = np.concatenate([rows, np.zeros_like(rows[:1])])
        self._scales = np.append(scales[:, 0], np.float32(0))
        self.dimensions: int = rows.shape[1]
        self._unspelled = (len(rows),)

    @classmethod
    @functools.cache
    def shipped(cls) -> Self:
        """Return the table that the package ships (its NOTICE names the source), loaded once."""
        lines = (DATA / "vocab.txt").read_text(encoding="utf-8").splitlines()
        with np.load(DATA / "tokens-128-int8.npz") as stored:
            pieces = WordPiece({token: index for index, token in enumerate(lines)})
            return cls(pieces, stored["q"], stored["s"].astype(np.float32))

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Return one unit row for each text."""
        counted = [
            count_words(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)
        ]
        return unit(np.concatenate([each.counts @ self.words(each.words) for each in counted]))

    def words(self, words: Sequence[str]) -> Vectors:
        """Return one row for each word, whose length tells how much the word says."""
        pieces = [self._pieces(word) or self._unspelled for word in words]
        tokens = np.array(list(chain.from_iterable(pieces)), np.intp)
        sizes = list(map(len, pieces))
        if not pieces:
            return np.zeros((0, self.dimensions), np.float32)
        rows = self._tokens.take(tokens, axis=0) * self._scales.take(tokens)[:, None]
        means: Vectors = np.add.reduceat(rows, [0, *accumulate(sizes[:-1])])
        means /= np.array(sizes, np.float32)[:, None]
        return means


class Nearest:
    """The greatest product of vectors with any of a group's, for several groups of vectors."""

    def __init__(self, groups: Sequence[Vectors]) -> None:
        # In this layout products of few texts take half the time.
        self._columns = np.ascontiguousarray(np.concatenate(groups).T)
        self._starts = np.cumsum([0, *map(len, groups[:-1])])

    def __call__(self, vectors: Vectors) -> Vectors:
        """Return a row for each vector, a column for each group, none of which may be empty."""
        products: Vectors = vectors @ self._columns
        if products.shape[1] == len(self._starts):
            return products
        nearest: Vectors = np.maximum.reduceat(products, self._starts, axis=1)
        return nearest


def lengths(vectors: Vectors) -> Vectors:
    """Return the length of each row."""
    squares: Vectors = np.einsum("td,td->t", vectors, vectors)
    return np.sqrt(squares)


def unit(vectors: Vectors) -> Vectors:
    """Return the rows at length one; rows of zeros stay."""
    divisors: Vectors = np.maximum(lengths(vectors), TINY)
    return vectors / divisors[:, None]
