"""The rules by their ids, and what they find in a text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Final, Literal, get_args

from extproc.filters.builtin.injection import languages, orders, personas, tools
from extproc.filters.builtin.injection.signs import Sign
from extproc.filters.builtin.injection.text import decoded, hides, normalize, pieces, unmasked

RuleId = Literal[
    "override",
    "reveal",
    "persona",
    "fake_turn",
    "tool_orders",
    "exfiltrate",
    "hidden",
    "encoded",
]
RULES: Final[tuple[RuleId, ...]] = get_args(RuleId)
"""In the order in which they are named to whoever reads a verdict."""

SIGNS: Final[tuple[Sign, ...]] = (
    *orders.OVERRIDES,
    *languages.OVERRIDES,
    *orders.REVEALS,
    *languages.REVEALS,
    *personas.PERSONAS,
    *languages.PERSONAS,
    *tools.FAKE_TURNS,
    *tools.TOOL_ORDERS,
    *tools.EXFILTRATION,
    *tools.ENCODED,
)


def find(text: str, signs: Sequence[Sign] = SIGNS, threshold: float = 1) -> Iterator[str]:
    """Yield the rules that a text breaks, some of them more than once.

    A rule's signs count together where they stand within some thousand characters. A piece that
    hides text breaks `hidden` by itself, one that encodes what breaks a rule breaks `encoded`.
    """
    for piece in pieces(text):
        if hides(piece):
            yield "hidden"
        plain = normalize(piece)
        for reading in (plain, *unmasked(plain)):
            yield from _broken(reading, signs, threshold)
        for inner in decoded(piece):
            if _broken(normalize(inner), signs, threshold):
                yield "encoded"


def signs_without(rules: Collection[str]) -> tuple[Sign, ...]:
    """Return the signs of all other rules."""
    return tuple(each for each in SIGNS if each.rule not in rules)


def _broken(text: str, signs: Sequence[Sign], threshold: float) -> set[str]:
    scores: defaultdict[str, float] = defaultdict(float)
    for each in signs:
        if each.is_in(text):
            scores[each.rule] += each.weight
    return {rule for rule, score in scores.items() if score >= threshold}
