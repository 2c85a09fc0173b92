from __future__ import annotations

from collections.abc import Callable

import pytest

from extproc.evaluation.confusions import find_confusions
from extproc.evaluation.decide import Result

MakeResult = Callable[..., Result]


@pytest.mark.parametrize(
    ("expected", "got", "pairs"),
    [
        ("a", "b", [("a", "b")]),
        ("a", "", [("a", None)]),
        ("", "b", [(None, "b")]),
        ("a", "a b", [(None, "b")]),
        ("a b", "a", [("b", None)]),
        ("a b", "a c", [("b", "c")]),
        ("a b", "c d", [("a", "c"), ("b", "d")]),
        ("a b", "b a", []),
        ("a", "a", []),
        ("a", None, []),
    ],
)
def test_what_stands_in_whose_place(
    expected: str, got: str | None, pairs: list[tuple[str | None, str | None]], result: MakeResult
) -> None:
    found = find_confusions([result(expected, got)])
    assert [(each.expected, each.got) for each in found] == pairs


def test_the_most_frequent_is_first(result: MakeResult) -> None:
    results = [result("a", "b"), result("a", "c"), result("a", "c"), result("a", "a")]
    first, second = find_confusions(results)
    assert (first.expected, first.got, first.count) == ("a", "c", 2)
    assert first.results == tuple(results[1:3])
    assert (second.got, second.count) == ("b", 1)


def test_sets_are_kept_apart(result: MakeResult) -> None:
    found = find_confusions([result("a", "b"), result("a", "b", agents_set="shop")])
    assert [(each.agents_set, each.count) for each in found] == [("desk", 1), ("shop", 1)]
