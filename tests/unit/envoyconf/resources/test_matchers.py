from __future__ import annotations

from extproc.envoyconf.resources.matchers import header_is, matching


def test_a_header_is_matched_exactly() -> None:
    assert header_is("x-a", "b").to_dict() == {"name": "x-a", "stringMatch": {"exact": "b"}}


def test_an_expression_is_matched_by_re2() -> None:
    assert matching("a.*").to_dict() == {"safeRegex": {"regex": "a.*"}}
