from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.manifests.naming import object_name
from extproc.names import AGENT_ID

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
IDS = st.from_regex(AGENT_ID, fullmatch=True)


def test_a_valid_name_is_the_parts() -> None:
    assert object_name("outerloop", "agent", "weather-agent") == "outerloop-agent-weather-agent"


@pytest.mark.parametrize(
    "agent", ["weather_agent", "Weather", "-a", "a-", "a--b", "a" * 64, "_", "a-0123abcd"]
)
def test_any_other_name_ends_in_a_digest(agent: str) -> None:
    name = object_name("outerloop", "agent", agent)
    assert LABEL.fullmatch(name)
    assert re.search(r"-[0-9a-f]{8}$", name)
    assert name != f"outerloop-agent-{agent}"


def test_names_that_differ_in_case_or_signs_do_not_meet() -> None:
    ids = ["a_b", "a-b", "A_b", "a_B", "a-b-", "a.b", "a--b"]
    assert len({object_name("outerloop", "agent", each) for each in ids}) == len(ids)


def test_parts_that_read_alike_do_not_meet() -> None:
    parts = [("a", "b-c"), ("a-b", "c")]
    assert len({object_name("outerloop", "variant", *each) for each in parts}) == len(parts)


def test_an_id_that_looks_like_a_digest_is_not_taken_for_one() -> None:
    name = object_name("outerloop", "agent", "a_b")
    assert object_name("outerloop", "agent", name.removeprefix("outerloop-agent-")) != name


@given(st.sets(st.tuples(IDS, IDS), min_size=2, max_size=5))
def test_every_name_is_a_label_of_its_own(pairs: set[tuple[str, str]]) -> None:
    names = [object_name("outerloop", "variant", *each) for each in pairs]
    assert all(LABEL.fullmatch(name) for name in names)
    assert len(set(names)) == len(pairs)
