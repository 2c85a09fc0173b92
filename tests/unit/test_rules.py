from __future__ import annotations

import pytest

from extproc.config.model.listeners import Rule as RuleConfig
from extproc.http import Headers, HttpRequest
from extproc.rules import compile_rules, first_match

REQUEST = HttpRequest(
    "POST",
    "/v1/messages?beta=true",
    Headers((("x-tenant", "other"), ("x-tenant", "acme"), ("x-plan", "free"))),
)


def matches(**when: object) -> bool:
    [rule] = compile_rules([RuleConfig.model_validate({"when": when, "agents": ["a"]})], (), 3)
    return rule.matches(REQUEST)


@pytest.mark.parametrize(
    "when",
    [
        {},
        {"headers": {"x-tenant": "acme"}},
        {"headers": {"X-Tenant": "other", "x-plan": "free"}},
        {"path": "/v1/messages"},
        {"method": "POST", "path": "/v1/messages", "headers": {"x-plan": "free"}},
    ],
)
def test_all_that_is_named_is_so(when: dict[str, object]) -> None:
    assert matches(**when)


@pytest.mark.parametrize(
    "when",
    [
        {"headers": {"x-tenant": "ACME"}},
        {"headers": {"x-tenant": "acme", "x-plan": "paid"}},
        {"headers": {"x-missing": ""}},
        {"path": "/v1/messages/"},
        {"method": "GET"},
    ],
)
def test_something_is_not_so(when: dict[str, object]) -> None:
    assert not matches(**when)


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        # Envoy hands over bytes, read as Latin-1: clients send UTF-8.
        (("x-tenant", "Müller"), ("x-tenant", "M\xc3\xbcller")),
        # HTTP's `host` is `:authority` to Envoy.
        (("Host", "acme.example"), (":authority", "acme.example")),
    ],
)
def test_headers_are_compared_as_envoy_has_them(
    header: tuple[str, str], sent: tuple[str, str]
) -> None:
    when = {"headers": dict([header])}
    [rule] = compile_rules([RuleConfig.model_validate({"when": when, "agents": ["a"]})], (), 3)
    assert rule.matches(HttpRequest("POST", "/", Headers((sent,))))


def test_the_first_rule_that_matches_counts() -> None:
    rules = compile_rules(
        [
            RuleConfig.model_validate({"when": {"method": "GET"}, "agents": ["a"]}),
            RuleConfig.model_validate({"when": {"path": "/v1/messages"}, "allow": ["b", "c"]}),
            RuleConfig.model_validate({"agents": ["d"]}),
        ],
        offered=("a", "b", "c"),
        max_agents=3,
    )
    found = first_match(rules, REQUEST)
    assert found is rules[1]
    assert (found.agents, found.allow) == ((), ("b", "c"))
    assert first_match(rules[:1], REQUEST) is None


def test_allow_offers_nothing_that_the_listener_does_not() -> None:
    rules = [RuleConfig.model_validate({"allow": ["z", "b"]})]
    [rule] = compile_rules(rules, offered=("a", "b"), max_agents=3)
    assert rule.allow == ("b",)


def test_a_plan_is_cut_from_the_end() -> None:
    rules = [RuleConfig.model_validate({"agents": ["a", "b", "c"]})]
    [rule] = compile_rules(rules, offered=(), max_agents=2)
    assert rule.agents == ("a", "b")
