from __future__ import annotations

import re
from typing import Literal

import pytest
from envoy_data_plane.envoy.config.common.mutation_rules import v3 as rules
from envoy_data_plane.envoy.extensions.filters.http.header_mutation import v3 as header_mutation
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation import (
    v3 as early_header_mutation,
)
from envoy_data_plane.google.protobuf import Any

from extproc.envoyconf.resources.headers import early_mutation, from_agent, header_option, to_client

Level = Literal["none", "basic", "full"]
BASIC = {"x-outerloop-agent", "x-outerloop-plan", "x-outerloop-source", "x-request-id"}
FULL = BASIC | {
    "x-outerloop-confidence",
    "x-outerloop-variant",
    "x-outerloop-cached",
    "x-outerloop-decision-ms",
    "x-outerloop-step",
}


def response_mutations(packed: Any) -> list[rules.HeaderMutation]:
    config = packed.unpack()
    assert isinstance(config, header_mutation.HeaderMutation)
    assert config.mutations is not None
    assert config.mutations.request_mutations == []
    return config.mutations.response_mutations


def removed(mutation: rules.HeaderMutation) -> re.Pattern[str]:
    assert mutation.remove_on_match is not None
    matcher = mutation.remove_on_match.key_matcher
    assert matcher is not None
    assert matcher.safe_regex is not None
    return re.compile(matcher.safe_regex.regex)


def test_a_header_replaces_what_stands_there_and_is_left_out_when_empty() -> None:
    option = header_option("x-a", "%REQ(x-b)%")
    assert option.append_action.name == "OVERWRITE_IF_EXISTS_OR_ADD"
    assert not option.keep_empty_value


def test_client_copies_are_removed_before_ours_is_set() -> None:
    packed = early_mutation("travel").typed_config
    assert packed is not None
    config = packed.unpack()
    assert isinstance(config, early_header_mutation.HeaderMutation)
    removal, addition = config.mutations
    ours = removed(removal)
    for name in ("x-outerloop-agent", "X-OuterLoop-Agent", "x_outerloop_agent", "x-envoy-retry-on"):
        assert ours.fullmatch(name)
    for name in ("x-outer", "my-x-outerloop-agent", "outerloop-hops", "x_tenant"):
        assert not ours.fullmatch(name)
    assert addition.append == header_option("x-outerloop-listener", "travel")


@pytest.mark.parametrize(("level", "names"), [("none", set()), ("basic", BASIC), ("full", FULL)])
def test_the_client_is_told_what_the_level_says(level: Level, names: set[str]) -> None:
    options = [mutation.append for mutation in response_mutations(to_client(level))]
    assert {option.header.key for option in options if option and option.header} == names


def test_a_clients_trailers_have_nothing_of_ours() -> None:
    config = from_agent().unpack()
    assert isinstance(config, header_mutation.HeaderMutation)
    assert config.mutations is not None
    (mutation,) = config.mutations.request_trailers_mutations
    assert removed(mutation).fullmatch("X_Outerloop-Agent")
    assert not removed(mutation).fullmatch("x-checksum")


def test_an_agents_own_response_headers_of_ours_are_removed_whatever_their_case() -> None:
    (mutation,) = response_mutations(from_agent())
    ours = removed(mutation)
    for name in ("x-outerloop-error", "X-OUTERLOOP-anything", "x-outerloop-"):
        assert ours.fullmatch(name)
    for name in ("x-outerloop", "server", "x-request-id", "my-x-outerloop-error"):
        assert not ours.fullmatch(name)
