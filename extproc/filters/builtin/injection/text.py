"""The ways to read a text that may hide what it says: plain, unmasked, decoded."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from extproc.filters.builtin.escapes import blank_escapes

PIECE: Final = 8192
"""Characters looked at together, so that one long text holds up nobody else."""
OVERLAP: Final = 512
"""Characters that two pieces share: no sign is longer."""
_MAX_RUNS: Final = 64
"""Encoded runs read in a piece."""

_UNSEEN: Final = (
    "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e01ef"
)
_INVISIBLE: Final = re.compile(f"[{_UNSEEN}\u0300-\u036f]+")
_BLANKS: Final = re.compile(r"\s{2,}")

_FLAG: Final = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f")
_HIDDEN: Final = re.compile(
    "[\U000e0020-\U000e007e]{4}"  # tags: ASCII that nobody sees
    "|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{8}"  # variation selectors: a byte each
    "|[\u200b-\u200d\u2060-\u2064\ufeff]{24}"  # a bit each
    "|(?:[A-Za-z][\u200b-\u200d\u2060-\u2064\ufeff]{1,4}){5}"  # a word cut to pieces
    "|\u202e[^\u202c\n]{12}"  # written backwards
)

_STEMS: Final = ("ignor", "instruc", "prompt", "system", "previous", "restrict", "disregard")
"""A reading is worth a look where one of these comes to light."""
_MASKS: Final = str.maketrans("0134578@$аеорсухіјѕοανρ", "oieastbasaeopcyxijsoavp")  # noqa: RUF001 - look-alikes
_SPACED: Final = re.compile(r"(?<!\w)(?:\w[ ._*-]){4,40}\w(?!\w)")
_GAPS: Final = re.compile(r"[ ._*-]")

_BASE64: Final = re.compile(r"(?<![\w+/-])[\w+/-]{24,4096}", re.ASCII)
_HEX: Final = re.compile(r"(?:[0-9a-f]{2}){16,}", re.IGNORECASE)


def pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces that overlap."""
    for start in range(0, max(len(text) - OVERLAP, 1), PIECE - OVERLAP):
        yield text[start : start + PIECE]


def normalize(text: str) -> str:
    """Return what a reader sees, without case, accents and runs of blanks."""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKD", text))
    return _BLANKS.sub(_blank, blank_escapes(text).casefold())


def unmasked(text: str) -> Iterator[str]:
    """Yield other readings of a normalized text: `1gn0r3`, look-alike letters, `i g n o r e`."""
    for reading in (text.translate(_MASKS), _SPACED.sub(_without_gaps, text)):
        if any(stem in reading and stem not in text for stem in _STEMS):
            yield reading


def decoded(text: str) -> Iterator[str]:
    """Yield the texts that stand in a piece as base64 or hexadecimal digits."""
    runs = (run[0] for _, run in zip(range(_MAX_RUNS), _BASE64.finditer(text), strict=False))
    for run in runs:
        data = bytes.fromhex(run[: len(run) & ~1]) if _HEX.fullmatch(run) else _from_base64(run)
        readable = " ".join(data.decode("utf-8", "replace").rstrip("\ufffd").split())
        if " " in readable and "\ufffd" not in readable and readable.isprintable():
            yield readable


def hides(text: str) -> bool:
    """Tell whether a text has characters that are there to be read by machines only."""
    return not text.isascii() and _HIDDEN.search(_FLAG.sub("", text)) is not None


def _from_base64(run: str) -> bytes:
    """Decode whole groups of either alphabet; the last one may have been cut off."""
    return base64.b64decode(run[: len(run) & ~3], altchars=b"-_" if _is_url(run) else None)


def _is_url(run: str) -> bool:
    return "-" in run or "_" in run


def _without_gaps(run: re.Match[str]) -> str:
    return _GAPS.sub("", run[0])


def _blank(run: re.Match[str]) -> str:
    return "\n" if "\n" in run[0] else " "
