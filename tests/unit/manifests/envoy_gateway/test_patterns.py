from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from extproc import names
from extproc.manifests.envoy_gateway.patterns import all_but

PREFIX = names.HEADER_PREFIX
LETTERS = st.text("abcdeilnrst-.+_", max_size=9)


def matches(expression: str, name: str) -> bool:
    """As Envoy does: the whole name."""
    return re.fullmatch(expression, name) is not None


@given(rest=LETTERS, words=st.sets(LETTERS, max_size=4), beginnings=st.sets(LETTERS, max_size=2))
def test_all_names_of_the_prefix_match_but_those(
    rest: str, words: set[str], beginnings: set[str]
) -> None:
    beginnings.discard("")
    expression = all_but(PREFIX, (PREFIX + each for each in words), map(PREFIX.__add__, beginnings))
    spared = rest in words or rest.startswith(tuple(beginnings))
    assert matches(expression, PREFIX + rest) is not spared


def test_other_names_do_not_match() -> None:
    expression = all_but(PREFIX, (names.HEADER_LISTENER,))
    for name in ("outerloop-x", "y-outerloop-x", "x-outerloopx", "x-outerloop", "x_outerloop_x"):
        assert not matches(expression, name)


def test_an_expression_fits_the_field() -> None:
    expression = all_but(PREFIX, names.RESPONSE_HEADERS, (names.HEADER_TAG,))
    assert len(expression) <= 1024
    # RE2 has none of these.
    assert "(?" not in expression
