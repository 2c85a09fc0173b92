"""Finds phone numbers: international ones, and those of some regions as they are written there.

Candidates are found by their digits and gaps; whether there is such a number, libphonenumber says.
Its own search is of no use here: it goes back over long texts again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from extproc.filters.builtin.personal.spans import Finder, Kind, Span, View, missing

_GAP: Final = r"[ .()/\-\u00a0\u2009\u202f\u2010-\u2013]"
_NUMBER: Final = re.compile(rf"(?:\+[ (]{{0,2}}|\(?)[0-9](?:{_GAP}{{0,3}}[0-9]){{6,19}}")
_REACH: Final = re.compile(
    rf"[+(]?{_GAP}{{0,3}}(?:[0-9](?:{_GAP}{{0,3}}[0-9]){{0,19}}{_GAP}{{0,3}})?"
)
_ABROAD_START: Final = r"\+(?<![A-Za-z0-9_+].)"
_HOME_START: Final = (
    r"|[(0-9](?<![A-Za-z0-9_+.,/@#$€£&?%\-].)"
    # After other digits only what looks dialled, or is one word: see `_may_part`.
    r"(?:(?<=[(0])|(?<![0-9]\s.)|(?=[0-9.\-]{7}))"
)
_MONTH_AND_DAY: Final = r"(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12][0-9]|3[01])"
_DATE: Final = re.compile(
    rf"(?:^|(?<=[\s+(]))(?:(?:19|20)[0-9]{{2}}([-/.]){_MONTH_AND_DAY}"
    r"|[0-9]{1,2}([-/.])[0-9]{1,2}\2(?:19|20)[0-9]{2})(?![0-9])"
)
_IP: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_MORE: Final = re.compile(rf"({_GAP})[0-9]")
_GROUP: Final = re.compile(r"[0-9]+")
_THIN_SPACE: Final = re.compile("[\u2009\u202f]")
"""What libphonenumber does not take for a gap."""
_WORD: Final = re.compile(r"[A-Za-z0-9_]")
_LEAST_DIGITS: Final = 7
_MOST_DIGITS: Final = 16
"""Fifteen, and the zero in `+44 (0)20`."""
_TRIES: Final = 4
"""Ends of groups that are tried: other numbers may follow a phone number."""

Valid = Callable[[str], bool]


def regions_with_numbers() -> AbstractSet[str]:
    """Return the regions whose numbers are known. Raises `PluginError` without the library."""
    regions: AbstractSet[str] = _library().SUPPORTED_REGIONS
    return regions


def _library() -> Any:  # noqa: ANN401 - imported where it is used
    try:
        import phonenumbers
    except ImportError as error:
        raise missing(error) from error
    return phonenumbers


def phone_finder(regions: Sequence[str] = ()) -> Finder:
    """Return what finds phone numbers, national ones of `regions` only (ISO 3166).

    Raises `PluginError` where the library is missing.
    """
    phonenumbers = _library()

    def valid(text: str, region: str | None = None) -> bool:
        try:
            number = phonenumbers.parse(_THIN_SPACE.sub(" ", text), region)
        except phonenumbers.NumberParseException:
            return False
        return bool(phonenumbers.is_valid_number(number))

    zero = {each: phonenumbers.ndd_prefix_for_region(each, True) == "0" for each in regions}  # noqa: FBT003 - its only form

    def valid_at_home(text: str) -> bool:
        if not _looks_dialled(text):
            return False
        leads = text.lstrip("(").startswith("0")
        return any(valid(text, each) for each in regions if leads or not zero[each])

    starts = re.compile(_ABROAD_START + (_HOME_START if regions else ""))

    def find(view: View) -> Iterator[Span]:
        done = 0
        known: dict[str, bool] = {}
        for each in starts.finditer(view.text, view.begin):
            is_valid = _remembering(valid if each[0] == "+" else valid_at_home, known)
            if each.start() >= done and (span := _at(view, each.start(), is_valid)):
                done = 0 if span.open else span.end
                yield span

    return find


def _remembering(valid: Valid, known: dict[str, bool]) -> Valid:
    """Ask once for what stands in a text again and again: libphonenumber takes its time."""

    def remembered(number: str) -> bool:
        if number not in known:
            known[number] = valid(number)
        return known[number]

    return remembered


def _at(view: View, start: int, valid: Valid) -> Span | None:
    """Return the number that starts at a place."""
    reach = _REACH.match(view.text, start)
    if reach and view.cut(reach.end()):
        return Span(start, reach.end(), Kind.PHONE, open=True)
    if match := _NUMBER.match(view.text, start):
        for end in _ends(view.text, match):
            if _may_part(view.text, start, end) and valid(view.text[start:end]):
                return Span(start, end, Kind.PHONE)
    return None


def _ends(text: str, match: re.Match[str]) -> Iterator[int]:
    """Yield where a number may end, the longest first."""
    date = _DATE.search(match[0])
    groups = [
        each.span()
        for each in _GROUP.finditer(match[0], 0, date.start() if date else len(match[0]))
    ]
    digits = sum(end - start for start, end in groups)
    tries = _TRIES
    for start, end in reversed(groups):
        if digits < _LEAST_DIGITS or not tries:
            return
        if digits <= _MOST_DIGITS and not _WORD.match(text, match.start() + end):
            tries -= 1
            yield match.start() + end
        digits -= end - start


def _may_part(text: str, start: int, end: int) -> bool:
    """Tell whether what is next to a number may be another one.

    Digits with blanks between them may be one number or several: only what is plainly a number of
    its own may have more digits before or after it.
    """
    number = text[start:end]
    if number[0] == "+":
        return True
    digits_after = _MORE.match(text, end)
    if digits_after and not digits_after[1].isspace():
        return False
    if number[0] in "(0" or not re.search(r"\s", number):
        return True
    return not digits_after and not re.match(r"[0-9][^0-9]", text[max(0, start - 2) : start])


def _looks_dialled(text: str) -> bool:
    """Tell a national number from ids, decimals and addresses that have as many digits."""
    gaps = set(re.findall(r"[^0-9]", text))
    if not gaps:
        return text.startswith("0")
    return not (text.count(".") == 1 and gaps == {"."}) and not _IP.fullmatch(text)
