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


def mask_json(body: bytes, detector: Detector, mask: str) -> Masked:
    """Mask the texts of a checked JSON body; all that is none of them stays byte for byte."""
    counts: Counter[Kind] = Counter()
    edits = []
    for text in texts(body):
        value, found = detector.mask(text.value, mask)
        if found:
            counts += found
            edits.append((text.place, value))
    return (without_logprobs(replace_strings(body, edits)) if edits else body), counts


def mask_text(body: bytes, detector: Detector, mask: str) -> Masked:
    """Mask a body as one text. Raises `FilterError` where it is not UTF-8."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise FilterError("the body is no text in UTF-8") from None
    value, counts = detector.mask(text, mask)
    return (value.encode() if counts else body), counts
