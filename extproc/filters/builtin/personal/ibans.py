"""Finds IBANs: of a country's length and form, with the right check digits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from extproc.filters.builtin.personal.spans import Finder, Kind, Span, View, missing

_GAP: Final = r"[ \-\u00a0\u2009\u202f\u2010\u2011]"
_START: Final = re.compile(r"[0-9](?<=[A-Za-z]{2}.)(?<![A-Za-z0-9_][A-Za-z]{2}.)[0-9]")
_REACH: Final = re.compile(rf"[A-Za-z]{{2}}[0-9]{{2}}(?:{_GAP}?[A-Za-z0-9]){{0,30}}{_GAP}?")
_PART: Final = re.compile(r"([0-9]+)!")
_OTHER: Final = re.compile(r"[^A-Za-z0-9]")


def iban_finder() -> Finder:
    """Return what finds IBANs. Raises `PluginError` where its library is missing."""
    try:
        from stdnum import iban, numdb
    except ImportError as error:
        raise missing(error) from error
    countries = numdb.get("iban")

    @cache
    def form(country: str) -> re.Pattern[str] | None:
        """Return what an account number of a country looks like, None where it has none."""
        length = sum(map(int, _PART.findall(countries.info(country)[0][1].get("bban", ""))))
        if not length:
            return None
        return re.compile(
            rf"[A-Za-z]{{2}}[0-9]{{2}}(?:{_GAP}?[A-Za-z0-9]){{{length}}}(?![A-Za-z0-9_])"
        )

    def find(view: View) -> Iterator[Span]:
        for each in _START.finditer(view.text, view.begin):
            start = each.start() - 2
            shape = form(view.text[start : start + 2].upper())
            reach = _REACH.match(view.text, start)
            if shape is None or reach is None:
                continue
            if view.cut(reach.end()):
                yield Span(start, reach.end(), Kind.IBAN, open=True)
                continue
            match = shape.match(view.text, start)
            # The bank's own check digits are no matter: better one too many.
            if match and iban.is_valid(_OTHER.sub("", match[0]), check_country=False):
                yield Span(start, match.end(), Kind.IBAN)

    return find
