from __future__ import annotations

from typing import Any

import pytest

from extproc import names
from extproc.doctor.envoy.matching import allows, matches, removes

AGENT = "x-outerloop-agent"


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        ({"exact": AGENT}, True),
        ({"exact": "X-Outerloop-Agent"}, False),
        ({"exact": "X-Outerloop-Agent", "ignore_case": True}, True),
        ({"prefix": "x-outerloop-"}, True),
        ({"suffix": "-agent"}, True),
        ({"contains": "loop"}, True),
        ({"contains": "hoop"}, False),
        ({"safe_regex": {"regex": names.SPOOFED_HEADERS}}, True),
        ({"safe_regex": {"regex": "x-outerloop"}}, False),
        ({"safe_regex": {"regex": "("}}, False),
        ({}, False),
    ],
)
def test_names_that_match(matcher: Any, expected: bool) -> None:
    assert matches(matcher, AGENT) is expected


@pytest.mark.parametrize(
    ("mutation", "expected"),
    [
        ({"remove": "X-Outerloop-Agent"}, True),
        ({"remove": "x-other"}, False),
        ({"remove_on_match": {"key_matcher": {"prefix": "x-outerloop-"}}}, True),
        ({"append": {"header": {"key": AGENT}}}, False),
    ],
)
def test_what_is_removed(mutation: Any, expected: bool) -> None:
    assert removes(mutation, AGENT) is expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, True),
        ({"disallow_all": True}, False),
        ({"disallow_all": True, "allow_expression": {"regex": "x-outerloop-.*"}}, True),
        ({"disallow_expression": {"regex": "x-.*"}}, False),
        (
            {"disallow_expression": {"regex": "x-.*"}, "allow_expression": {"regex": "x-.*"}},
            False,
        ),
    ],
)
def test_what_may_be_set(rules: Any, expected: bool) -> None:
    assert allows(rules, AGENT) is expected
