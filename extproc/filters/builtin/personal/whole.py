"""Masks bodies that are there as a whole."""

from __future__ import annotations

from collections import Counter

from extproc.apis.texts import texts
from extproc.filters.api import FilterError
from extproc.filters.builtin.personal.detector import Detector
from extproc.filters.builtin.personal.held import without_logprobs
from extproc.filters.builtin.personal.spans import Kind
from extproc.json_strings import replace_strings

Masked = tuple[bytes, Counter[Kind]]
"""A body with masks, and what they hide."""


def mask_json(body: bytes, detector: Detector, mask: str, *, is_answer: bool) -> Masked:
    """Mask the texts of a checked JSON body; all that is none of them stays byte for byte.

    But for the `logprobs` of an answer, which say its text once more.
    """
    counts: Counter[Kind] = Counter()
    edits = []
    for text in texts(body):
        value, found = detector.mask(text.value, mask)
        if found:
            counts += found
            edits.append((text.place, value))
    if not edits:
        return body, counts
    masked = replace_strings(body, edits)
    return (without_logprobs(masked) if is_answer else masked), counts


def mask_text(body: bytes, detector: Detector, mask: str) -> Masked:
    """Mask a body as one text. Raises `FilterError` where it is not UTF-8."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise FilterError("the body is no text in UTF-8") from None
    value, counts = detector.mask(text, mask)
    return (value.encode() if counts else body), counts
