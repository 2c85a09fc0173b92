"""A sign of prompt injection: a pattern of one rule, and what it weighs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_OWN: Final = r"(?!(?:my|our|meine\w?|unsere\w?|mes|nos|mis|mi|mie|miei|meus|minhas|mijn|мои)\b)"
"""Whoever takes back what they said themselves attacks nobody."""
_BETWEEN: Final = r"[^\w.;=(){}]{1,4}"
"""What may stand between two words: not what ends a sentence, nor what makes it code."""
_GAP: Final = rf"(?:{_BETWEEN}{_OWN}\w{{1,24}}+)"
_NOTATION: Final = re.compile(r"~(\d)| ")


@dataclass(frozen=True, slots=True)
class Sign:
    """One pattern of a rule; its weights add up, and 1 is enough by default.

    `pattern` is tried only where each group of `hints` has one in the text.
    """

    rule: str
    weight: float
    hints: tuple[tuple[str, ...], ...] = field(repr=False)
    pattern: re.Pattern[str]

    def is_in(self, text: str) -> bool:
        """Tell whether a normalized text shows the sign."""
        for group in self.hints:
            if not any(hint in text for hint in group):
                return False
        return self.pattern.search(text) is not None


def sign(rule: str, weight: float, hints: str, pattern: str) -> Sign:
    r"""Read a sign from the notation in which all are written.

    A blank in `pattern` is what stands between two words, `~3` up to three words between two
    others, none of them `my` (`\x20` is a plain blank). As every repetition is bounded, time grows
    with the length of a text and no faster. Groups of hints stand apart by ` + `, hints by `/`.
    """
    groups = tuple(tuple(group.split("/")) for group in hints.split(" + "))
    return Sign(rule, weight, groups, re.compile(_NOTATION.sub(_expand, pattern)))


def _expand(mark: re.Match[str]) -> str:
    return f"{_GAP}{{0,{mark[1]}}}" if mark[1] else _BETWEEN
