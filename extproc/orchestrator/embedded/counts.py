"""The words of a turn's texts, counted once for all that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from extproc.orchestrator.embedded.text import (
    MAX_WORD_CHARS,
    STOP_WORDS,
    clip,
    cut,
    words_and_marks,
)

Counts = NDArray[np.float32]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pairs:
    """The words of all texts one after another: the row and the column of each.

    `count` says of each but the last whether it makes a pair with the next: both are of one text,
    and one of them carries meaning.
    """

    rows: Places
    columns: Places
    count: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WordCounts:
    """How often each text has each word: a row for each text, a column for each of `words`.

    Punctuation marks count as words here. `content_words` says how many words of each text carry
    meaning of their own.
    """

    words: list[str]
    counts: Counts
    content_words: list[int]
    pairs: Pairs


def count_words(texts: Sequence[str]) -> WordCounts:
    """Count the words of texts, each of them clipped."""
    said: list[str] = []
    marks: list[str] = []
    sizes: list[int] = []
    mark_sizes: list[int] = []
    for text in texts:
        own_words, own_marks = words_and_marks(clip(text))
        said += own_words
        marks += own_marks
        sizes.append(len(own_words))
        mark_sizes.append(len(own_marks))
    spoken = len(said)
    said += marks
    distinct = dict.fromkeys(said)
    if max(map(len, distinct), default=0) > MAX_WORD_CHARS:
        said = cut(said)
        distinct = dict.fromkeys(said)
    column = {word: place for place, word in enumerate(distinct)}
    columns = np.fromiter(map(column.__getitem__, said), np.intp, len(said))
    rows = np.array([*range(len(texts)), *range(len(texts))]).repeat(sizes + mark_sizes)
    counts = tally(rows, columns, (len(texts), len(column)))
    content = np.array([word not in STOP_WORDS and word.isalnum() for word in column], np.float32)
    content_words = (counts @ content).astype(int).tolist()
    pairs = _pairs(rows[:spoken], columns[:spoken], content)
    return WordCounts(list(column), counts, content_words, pairs)


def tally(rows: Places, columns: Places, shape: tuple[int, int]) -> Counts:
    """Return how often each row and column come together."""
    flat = np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1])
    return flat.reshape(shape).astype(np.float32)


def _pairs(rows: Places, columns: Places, content: Counts) -> Pairs:
    means = content[columns]
    count = (rows[:-1] == rows[1:]) & (means[:-1] + means[1:] > 0)
    return Pairs(rows, columns, count)
