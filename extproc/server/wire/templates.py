"""Serialized messages that are made once: of what differs, only the bytes are put in."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter


class Template:
    """A serialized protobuf message with holes.

    A value may take the place of another of the same length, as only its length stands before it
    (https://protobuf.dev/programming-guides/encoding/).
    """

    def __init__(self, message: bytes, samples: Sequence[bytes]) -> None:
        """Make holes where the samples stand: two or more of them, each once in the message.

        Raises ValueError where that is not so.
        """
        if any(message.count(sample) != 1 for sample in samples):
            raise ValueError("a sample must stand in the message once")
        self._lengths = [len(sample) for sample in samples]
        order = sorted(range(len(samples)), key=lambda number: message.index(samples[number]))
        self._ordered = itemgetter(*order)
        text = message.replace(b"%", b"%%")
        for sample in samples:
            text = text.replace(sample, b"%b")
        self._text = text

    def fill(self, *values: bytes) -> bytes | None:
        """Return the message with values in the order of the samples; None if one does not fit."""
        if [*map(len, values)] != self._lengths:
            return None
        text: bytes = self._text % self._ordered(values)
        return text
