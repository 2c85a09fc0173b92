"""Texts as unit vectors, by a table of token embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from extproc.orchestrator.embedded.text import DATA, clip, words
from extproc.orchestrator.embedded.tokens import WordPiece

Vectors = NDArray[np.float32]
"""One unit row a text; a text that says nothing has a row of zeros."""


class Vectorizer(Protocol):
    """Where vectors come from: the shipped table here, a server for the embeddings strategy."""

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Return one unit row for each text."""
        ...


class TokenTable:
    """Static embeddings: a text's vector is the mean of its tokens' rows."""

    def __init__(self, pieces: WordPiece, rows: NDArray[np.int8], scales: Vectors) -> None:
        self._pieces = pieces.pieces
        self._rows = rows
        self._scales = scales

    @classmethod
    def shipped(cls) -> Self:
        """Load the table that the package ships (its NOTICE names the source)."""
        lines = (DATA / "vocab.txt").read_text(encoding="utf-8").splitlines()
        with np.load(DATA / "tokens-128-int8.npz") as stored:
            pieces = WordPiece({token: index for index, token in enumerate(lines)})
            return cls(pieces, stored["q"], stored["s"].astype(np.float32))

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Return one unit row for each text."""
        ids = [list(chain.from_iterable(map(self._pieces, words(clip(text))))) for text in texts]
        vectors = np.zeros((len(texts), self._rows.shape[1]), np.float32)
        for row, tokens in zip(vectors, ids, strict=True):
            if tokens:
                np.einsum("td,t->d", self._rows[tokens], self._scales[tokens, 0], out=row)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.maximum(norms, np.finfo(np.float32).tiny)
        return vectors
