from __future__ import annotations

import sys

import pytest

from extproc.filters.builtin.personal.ibans import iban_finder
from extproc.filters.builtin.personal.spans import View
from extproc.plugins import PluginError

find = iban_finder()


def ibans(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find(View(text))]


@pytest.mark.parametrize(
    "iban",
    [
        # The examples of the IBAN registry
        *("AT611904300234573201", "BE68539007547034", "CH9300762011623852957"),
        *("DE89370400440532013000", "DK5000400440116243", "ES9121000418450200051332"),
        *("FI2112345600000785", "FR1420041010050500013M02606", "GB29NWBK60161331926819"),
        *("GR1601101250000000012300695", "IE29AIBK93115212345678", "IT60X0542811101000000123456"),
        *("LU280019400644750000", "MT84MALT011000012345MTLCAST001S", "NL91ABNA0417164300"),
        *("NO9386011117947", "PL61109010140000071219812874", "PT50000201231234567890154"),
        *("SE4550000000058398257466", "SA0380000000608010167519", "TR330006100519786457841326"),
        *("DE89 3704 0044 0532 0130 00", "gb29 nwbk 6016 1331 9268 19", "NO93-8601-1117-947"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "IBAN: {}.", "({})", "to {} of Ann", "{}, {}"])
def test_account_numbers(iban: str, around: str) -> None:
    assert ibans(around.format(iban, iban)) == [iban] * around.count("{}")


@pytest.mark.parametrize(
    "text",
    [
        *("DE89370400440532013001", "DE8937040044053201300", "DE893704004405320130000"),
        *("XX89370400440532013000", "xDE89370400440532013000", "_DE89370400440532013000"),
        *("GB29 is a code", "AB12 CD34 EF56", "DE89 3704  0044 0532 0130 00", "ISO27001"),
    ],
)
def test_what_is_no_account_number(text: str) -> None:
    assert ibans(text) == []


def test_only_what_begins_with_a_country_is_open() -> None:
    assert [span.open for span in find(View("DE89 3704 ", final=False))] == [True]
    assert not list(find(View("XX89 3704 ", final=False)))
    assert not list(find(View("DE89, ", final=False)))


def test_needs_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stdnum", None)
    with pytest.raises(PluginError, match="pip install"):
        iban_finder()
