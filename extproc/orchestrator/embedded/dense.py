"""Texts as unit vectors, by a table of token embeddings."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from extproc.orchestrator.embedded.text import DATA, clip, spoken_words, words
from extproc.orchestrator.embedded.tokens import WordPiece

Vectors = NDArray[np.float32]
"""A row for each text or word; one that says nothing has a row of zeros."""


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
        self._rows = rows
        self._scales = scales[:, 0]

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
        return unit(self._sums(words(clip(text)) for text in texts))

    def words(self, each: Sequence[str]) -> Vectors:
        """Return one row for each word, whose length tells how much the word says."""
        return self._sums([word] for word in each)

    def legible(self, text: str) -> float:
        """Return the share of a text's words that are in the vocabulary as a whole.

        Where it is low, in other languages, vectors of pieces of words mean little.
        """
        spoken = spoken_words(clip(text))
        return sum(word in self.vocabulary for word in spoken) / len(spoken) if spoken else 0.0

    def _sums(self, texts: Iterable[Sequence[str]]) -> Vectors:
        pieces = [[self._pieces(word) for word in text] for text in texts]
        sums = np.zeros((len(pieces), self._rows.shape[1]), np.float32)
        for row, spelled in zip(sums, pieces, strict=True):
            tokens = list(chain.from_iterable(spelled))
            if tokens:
                shares = [1 / len(ids) for ids in spelled for _ in ids]
                weights = self._scales[tokens] * np.array(shares, np.float32)
                np.dot(weights, self._rows[tokens].astype(np.float32), out=row)
        return sums


def unit(vectors: Vectors) -> Vectors:
    """Return the rows at length one; rows of zeros stay."""
    norms = np.sqrt(np.einsum("td,td->t", vectors, vectors))[:, None]
    units = np.zeros_like(vectors)
    np.divide(vectors, norms, out=units, where=norms > 0)
    return units
