from __future__ import annotations

import sys

import pytest

from extproc.filters.builtin.personal.phones import phone_finder, regions_with_numbers
from extproc.filters.builtin.personal.spans import View
from extproc.plugins import PluginError

find = phone_finder()
REGIONS = phone_finder(("US", "GB", "DE", "FR", "NO"))


def phones(text: str, finder: object = None) -> list[str]:
    return [text[span.start : span.end] for span in (finder or find)(View(text))]  # type: ignore[operator] # a finder


@pytest.mark.parametrize(
    "number",
    [
        # Numbers that regulators keep for fiction, and forms of ITU-T E.123
        *("+44 20 7946 0018", "+442079460018", "+44 (0)20 7946 0018", "+44 (20) 7946-0018"),
        *("+1 202 555 0123", "+1-202-555-0123", "+1 (202) 555-0123", "+1.2025550123"),
        *("+33 1 99 00 12 34", "+33.1.99.00.12.34", "+61 491 570 156", "+47 22 33 44 55"),
        *("+49 30/123456", "+49 (0)30 / 12 34 56", "+46\u00a08\u00a0465\u00a0004\u00a000"),
        "+44\u202f20\u20117946\u20110018",
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "tel:{}", "({}).", "call {} by day", "{}, {}", "at {} 2024-01-15"]
)
def test_international_numbers(number: str, around: str) -> None:
    assert phones(around.format(number, number)) == [number] * around.count("{}")


@pytest.mark.parametrize(
    "number",
    [
        *("020 7946 0018", "02079460018", "(020) 7946 0018", "01632-960-123", "030 123456"),
        *("(202) 555-0123", "202-555-0123", "202.555.0123", "22 33 44 55", "01.99.00.12.34"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "phone:{}", "{}."])
def test_national_numbers_of_regions(number: str, around: str) -> None:
    text = around.format(number)
    assert phones(text, REGIONS) == [number]
    assert phones(text) == []


def test_digits_after_an_international_number() -> None:
    assert phones("call +44 20 7946 0018 24 hours") == ["+44 20 7946 0018"]
    assert phones("call +44 20 7946 0018/19") == ["+44 20 7946 0018"]


def test_digits_beside_a_national_number() -> None:
    assert phones("5 020 7946 0018 24", REGIONS) == ["020 7946 0018"]
    assert phones("at 5 202-555-0123 24/7", REGIONS) == ["202-555-0123"]
    assert phones("9876 5432 2345 6789", REGIONS) == []


NOTHING = [
    *("1.2.3.4567", "v10.20.30.4050", "2024-01-15T12:30:00+0200", "2024-01-15 12:30:15", "+1"),
    *("15.01.2024 10 30", "12/31/2024 10:00", "192.168.100.200", "2001:db8::8a2e:370:7334"),
    *("550e8400-e29b-41d4-a716-446655440000", "123-4567890-1234567", "52.520008, 13.404954"),
    *("2025550123", "1700000000", "22334455", "4006381333931", "123-45-6789", "1,234,567.89"),
    *("+2024-01-15 12", "+10000000", "1 2 3 4 5 6 7 8 9 10 11", "2234-5678-9012", "#2025550123"),
    *("a+442079460018", "+442079460018x", "$202-555-0123", "/02079460018/", "+1 555 0100"),
    *("+44207946001812345", "x = 22.334455", "+52.520008", "AB-202-555-0123"),
]


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_no_phone_number(text: str) -> None:
    assert phones(text) == []
    assert phones(text, REGIONS) == []


def test_a_number_is_open_while_more_digits_may_come() -> None:
    for text in ("+", "+44 20 7946 0018", "+44 20 7946 0018 (", "+44 20"):
        assert [span.open for span in find(View(text, final=False))] == [True]
    assert [span.open for span in find(View("+44 20 7946 0018,", final=False))] == [False]


def test_regions_are_those_that_have_numbers() -> None:
    assert {"GB", "DE"} <= regions_with_numbers()
    assert "XX" not in regions_with_numbers()


def test_needs_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(PluginError, match="pip install"):
        phone_finder()
