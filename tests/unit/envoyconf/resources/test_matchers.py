from __future__ import annotations

from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.xds.core import v3 as core
from envoy_data_plane.xds.type.matcher import v3 as xds

from extproc.envoyconf.resources.matchers import header_is, matching, on_header


def test_a_header_is_matched_exactly() -> None:
    assert header_is("x-a", "b").to_dict() == {"name": "x-a", "stringMatch": {"exact": "b"}}


def test_an_expression_is_matched_by_re2() -> None:
    assert matching("a.*").to_dict() == {"safeRegex": {"regex": "a.*"}}


def test_one_thing_or_the_other_is_done_by_a_header() -> None:
    one, other = (
        xds.MatcherOnMatch(action=core.TypedExtensionConfig(name=name, typed_config=Any()))
        for name in ("one", "other")
    )
    made = on_header("x-a", "b.*", then=one, otherwise=other)
    assert made.matcher_list is not None
    [first] = made.matcher_list.matchers
    assert (first.on_match, made.on_no_match) == (one, other)
    assert first.predicate is not None
    predicate = str(first.predicate.to_dict())
    assert "'headerName': 'x-a'" in predicate
    assert "'regex': 'b.*'" in predicate
