"""Values of somebody's JSON as a person may be shown them, whatever they are."""

from __future__ import annotations

import json
import math
from datetime import date, datetime
from typing import Any, Final

_LONGEST: Final = 200
"""Characters. Clients choose their paths and request ids."""

_UNPRINTABLE: Final = "\N{REPLACEMENT CHARACTER}"
_LARGEST: Final = 1e9
"""Beyond it, digits are nobody's help."""


def printable(text: str) -> str:
    """Return `text` with a mark for each control, formatting or other character without a glyph.

    So it can neither steer a terminal nor turn a line round.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _UNPRINTABLE for each in text)


def text_of(value: Any) -> str:  # noqa: ANN401 - whatever JSON gives
    """Return one short line for `value`: nothing for null, a text as it is, JSON for the rest."""
    if value is None:
        return ""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError):
        text = "..."
    cut = f"{text[: _LONGEST - 3]}..." if len(text) > _LONGEST else text
    return printable(cut)


def number_of(value: Any) -> float | None:  # noqa: ANN401 - whatever JSON gives
    """Return a finite number, or None where `value` is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def figure(value: float | None, digits: int = 0) -> str:
    """Write a number with that many decimals, or `-` for none."""
    if value is None:
        return "-"
    return f"{value:.{digits}f}" if abs(value) < _LARGEST else f"{value:.3g}"


def duration(milliseconds: float) -> str:
    """Write a time: `83 ms`, `12.4 s`."""
    if milliseconds < 10_000:  # noqa: PLR2004 - four digits are read at a glance
        return f"{figure(milliseconds)} ms"
    return f"{figure(milliseconds / 1000, 1)} s"


def local(text: str) -> datetime | None:
    """Read an ISO 8601 time as the local clock has it; None where it is none."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def clock(text: str, today: date | None) -> str:
    """Write an ISO 8601 time as the local clock shows it, with its date unless that is `today`.

    What is no time is returned as it is.
    """
    moment = local(text)
    if moment is None:
        return text
    time = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"
    return time if moment.date() == today else f"{moment.date()} {time}"
