from __future__ import annotations

import re

import pytest

from extproc import names
from extproc.doctor import fixes
from extproc.doctor.fixes import Fix

ALL = {name: value for name, value in vars(fixes).items() if isinstance(value, Fix)}
NOTHING_TO_CHANGE = {"CREDENTIALS", "SLOW", "UNBOUNDED", "HEALTH"}


@pytest.mark.parametrize("name", sorted(ALL.keys() - NOTHING_TO_CHANGE))
def test_each_says_what_it_means_and_what_to_change_where(name: str) -> None:
    fix = ALL[name]
    assert fix.means.endswith(".")
    assert all((fix.envoy, fix.envoy_gateway, fix.istio))


def test_what_is_stripped_is_what_is_rendered() -> None:
    pattern = fixes.STRIPPED.envoy.partition("remove_on_match ")[2].partition(",")[0]
    assert pattern == names.SPOOFED_HEADERS
    assert re.fullmatch(pattern, "x_outerloop_agent")


def test_no_two_say_the_same() -> None:
    assert len(set(ALL.values())) == len(ALL)
