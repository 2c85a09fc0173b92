from __future__ import annotations

import sys

import pytest

from extproc.filters.builtin.personal.cards import card_finder
from extproc.filters.builtin.personal.spans import View
from extproc.plugins import PluginError

find = card_finder()


def cards(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find(View(text))]


@pytest.mark.parametrize(
    "number",
    [
        # The numbers that payment services publish for tests
        *("4242424242424242", "4111111111111111", "4012888888881881", "4000056655665556"),
        *("5555555555554444", "5105105105105100", "5200828282828210", "2223003122003222"),
        *("378282246310005", "371449635398431", "378734493671000"),
        *("6011111111111117", "6011000990139424", "3530111333300000", "3566002020360505"),
        *("30569309025904", "38520000023237", "36227206271667"),
        *("6205500000000000004", "6200000000000005", "6759649826438453", "2201382000000013"),
        *("4111 1111 1111 1111", "5555-5555-5555-4444", "3782 822463 10005", "3852 000002 3237"),
        *("4111\u00a01111\u00a01111\u00a01111", "4111.1111.1111.1111", "6205 5000 0000 0000 004"),
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "card: {}.", "({})", "2 {} 12/27 123", "{},12/27", "no{{{}}}"]
)
def test_numbers_of_cards(number: str, around: str) -> None:
    assert cards(around.format(number)) == [number]


@pytest.mark.parametrize(
    "text",
    [
        *("4111111111111112", "1234567890123452", "4222222222222", "4006381333931"),
        *("9780306406157", "1700000000000000", "41111111111111111", "4111 1111 11111111"),
        *("4111-1111 1111-1111", "411111111111111", "x4111111111111111"),
        *("4111111111111111x", "0.4111111111111111", "4111111111111111.5", "12-4111111111111111"),
        *("4111-1111-1111-1111-12", "550e8400-e29b-41d4-a716-446655440000", "180143985094819844"),
        *("2024-01-15 12:30:00.000000", "5105 1051 0510 5101", "4,111,111,111,111,111"),
    ],
)
def test_what_is_no_card(text: str) -> None:
    assert cards(text) == []


def test_a_card_may_stand_after_other_digits() -> None:
    assert cards("1111 4111 1111 1111 1111") == ["4111 1111 1111 1111"]


def test_a_number_is_open_while_it_may_be_longer() -> None:
    for text in ("4111", "4111 1111 1111 1111", "4111 1111 1111 1111 ", "4111111111111111."):
        assert [span.open for span in find(View(text, final=False))] == [True]
    assert [span.open for span in find(View("4111111111111111, ", final=False))] == [False]


def test_needs_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stdnum", None)
    with pytest.raises(PluginError, match="pip install"):
        card_finder()
