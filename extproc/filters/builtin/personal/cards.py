"""Finds numbers of payment cards: of a brand's prefix and length, in its groups, with Luhn's digit.

One number in ten passes Luhn's check, whatever it is: the brand and the groups are what keeps
order numbers and ids out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from extproc.filters.builtin.personal.spans import Finder, Kind, Span, View, missing

_GAP: Final = r"[ .\-\u00a0\u2009\u202f\u2010-\u2013]"
_START: Final = re.compile(r"[2-6](?<![A-Za-z0-9_].)(?<![0-9][.\-].)[0-9]{3}")
_END: Final = r"(?![A-Za-z0-9_])(?![.\-][0-9])"
_SHAPES: Final = tuple(
    re.compile(shape + _END)
    for shape in (
        rf"[0-9]{{4}}(?:({_GAP})[0-9]{{4}})(?:\1[0-9]{{4}}){{2}}\1[0-9]{{3}}",
        rf"[0-9]{{4}}({_GAP})[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{2,4}}",
        rf"[0-9]{{4}}({_GAP})[0-9]{{6}}\1[0-9]{{4,5}}",
        r"[0-9]{14,19}",
    )
)
_BRANDS: Final = re.compile(
    r"4(?:[0-9]{15}|[0-9]{18})"  # Visa; those of 13 digits are long gone, and look like an EAN
    r"|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-59]|[689][0-9])[0-9]{11}"  # Diners Club
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}"  # JCB
    r"|220[0-4][0-9]{12}"  # Mir
    r"|(?:6[0-9]|5[0678])(?:[0-9]{14}|[0-9]{17})"  # Discover, UnionPay, Maestro, RuPay
)
_REACH: Final = re.compile(rf"[0-9](?:{_GAP}?[0-9]){{0,19}}{_GAP}?")
_NO_DIGIT: Final = re.compile(r"[^0-9]")


def card_finder() -> Finder:
    """Return what finds numbers of cards. Raises `PluginError` where its library is missing."""
    try:
        from stdnum import luhn
    except ImportError as error:
        raise missing(error) from error

    def end(text: str, start: int) -> int:
        for shape in _SHAPES:
            if match := shape.match(text, start):
                digits = _NO_DIGIT.sub("", match[0])
                if _BRANDS.fullmatch(digits) and luhn.is_valid(digits):
                    return match.end()
        return 0

    def find(view: View) -> Iterator[Span]:
        for each in _START.finditer(view.text, view.begin):
            start = each.start()
            reach = _REACH.match(view.text, start)
            if reach and view.cut(reach.end()):
                yield Span(start, reach.end(), Kind.CARD, open=True)
            elif stop := end(view.text, start):
                yield Span(start, stop, Kind.CARD)

    return find
