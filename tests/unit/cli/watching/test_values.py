from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.cli.watching.values import clock, duration, figure, number_of, printable, text_of


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two hours east of Greenwich."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC-2")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("日本 é", "日本 é"),
        ("a\x1b[2Jb", "a�[2Jb"),
        ("a\nb\tc", "a�b�c"),
        ("\x9b31m", "�31m"),
        ("\u202eright to left", "�right to left"),
        ("\ud800", "�"),
        ("a\u2028b", "a�b"),
    ],
)
def test_what_has_no_glyph_is_marked(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_is_left_to_steer_a_terminal(text: str) -> None:
    assert printable(text).isprintable()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        ("text", "text"),
        (7, "7"),
        (True, "true"),
        (["é", {"a": 1}], '["é", {"a": 1}]'),
        ("x" * 300, "x" * 197 + "..."),
    ],
)
def test_any_value_is_a_short_text(value: Any, shown: str) -> None:
    assert text_of(value) == shown


def test_a_value_that_is_too_deep() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert text_of(deep) == "..."


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (0.5, 0.5),
        (True, None),
        ("1", None),
        (None, None),
        (math.nan, None),
        (-math.inf, None),
        (10**400, None),
    ],
)
def test_numbers_are_finite(value: Any, number: float | None) -> None:
    assert number_of(value) == number


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [(None, 0, "-"), (12.6, 0, "13"), (0.126, 2, "0.13"), (1.5e12, 0, "1.5e+12")],
)
def test_figures(value: float | None, digits: int, shown: str) -> None:
    assert figure(value, digits) == shown


@pytest.mark.parametrize(
    ("milliseconds", "shown"), [(0.4, "0 ms"), (9999, "9999 ms"), (12_345, "12.3 s")]
)
def test_durations(milliseconds: float, shown: str) -> None:
    assert duration(milliseconds) == shown


@pytest.mark.usefixtures("zone")
def test_times_are_local() -> None:
    text = "2026-05-04T23:12:33.120Z"
    assert clock(text, date(2026, 5, 5)) == "01:12:33.120"
    assert clock(text, date(2026, 5, 4)) == "2026-05-05 01:12:33.120"
    assert clock(text, None) == "2026-05-05 01:12:33.120"


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize("text", ["", "yesterday", "9999-12-31T23:59:59Z"])
def test_what_is_no_time_stays(text: str) -> None:
    assert clock(text, None) == text
