from __future__ import annotations

import pytest

from extproc.filters.builtin.personal.spans import Kind, Span, View, missing, united


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], []),
        ([Span(4, 6, Kind.KEY), Span(0, 4, Kind.CARD)], [(0, 4, "card"), (4, 6, "key")]),
        ([Span(2, 9, Kind.EMAIL), Span(0, 4, Kind.KEY)], [(0, 9, "key")]),
        ([Span(0, 4, Kind.KEY), Span(0, 9, Kind.EMAIL), Span(8, 9, Kind.CARD)], [(0, 9, "email")]),
    ],
)
def test_spans_that_overlap_are_one(
    spans: list[Span], expected: list[tuple[int, int, str]]
) -> None:
    assert [(each.start, each.end, each.kind) for each in united(spans)] == expected


def test_a_name_before_a_span_stays_before_what_it_is_part_of() -> None:
    key, email = Span(20, 60, Kind.KEY, name=18), Span(15, 30, Kind.EMAIL)
    (both,) = united([key, email])
    assert (both.start, both.start - both.name) == (15, 2)


def test_what_ends_with_a_part_may_go_on() -> None:
    assert View("abc", final=False).cut(3)
    assert not View("abc", final=False).cut(2)
    assert not View("abc").cut(3)


def test_a_missing_library_is_named_with_what_to_do() -> None:
    message = str(missing(ImportError(name="phonenumbers")))
    assert message == ("the module phonenumbers is missing: pip install 'outerloop-extproc[pii]'")
