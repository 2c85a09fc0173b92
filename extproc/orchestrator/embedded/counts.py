"""The words of a turn's texts, counted once for all that reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

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
    column, columns = _number(said)
    if max(map(len, column), default=0) > MAX_WORD_CHARS:
        column, columns = _number(cut(said))
    rows = np.array([*range(len(texts)), *range(len(texts))]).repeat(sizes + mark_sizes)
    counts = tally(rows, columns, (len(texts), len(column)))
    content = np.array([word not in STOP_WORDS and word.isalnum() for word in column], np.float32)
    content_words = (counts @ content).astype(int).tolist()
    pairs = _pairs(rows[:spoken], columns[:spoken], content)
    return WordCounts(list(column), counts, content_words, pairs)


def _number(words: list[str]) -> tuple[Mapping[str, int], Places]:
    """Return the numbers of distinct words in the order they first come, and that of each word."""
    # A word gets its number when it is first looked up.
    number: defaultdict[str, int] = defaultdict(count().__next__)
    return number, np.fromiter(map(number.__getitem__, words), np.intp, len(words))


def tally(rows: Places, columns: Places, shape: tuple[int, int]) -> Counts:
    """Return how often each row and column come together."""
    flat = np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1])
    return flat.reshape(shape).astype(np.float32)


def _pairs(rows: Places, columns: Places, content: Counts) -> Pairs:
    means = content[columns]
    return Pairs(rows, columns, (rows[:-1] == rows[1:]) & (means[:-1] + means[1:] > 0))
