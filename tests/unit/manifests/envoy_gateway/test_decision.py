from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from extproc import names

if TYPE_CHECKING:
    from tests.unit.manifests.envoy_gateway.conftest import Rendered

    Render = Callable[..., Rendered]

UNDECIDED = "outerloop-undecided-travel"
OTHER = "outerloop-other-travel"
DECIDE = "outerloop-decide-travel"
A = {"id": "a", "url": "http://10.0.0.1"}
B = {"id": "b", "url": "http://10.0.0.2"}
PII = [{"id": "pii", "type": "builtin", "use": "pii"}]


def test_what_is_undecided_reaches_nobody(rendered: Render) -> None:
    found = rendered()
    nowhere = {"group": "gateway.envoyproxy.io", "kind": "HTTPRouteFilter"}
    for route in (UNDECIDED, OTHER):
        (rule,) = found.spec("HTTPRoute", route)["rules"]
        assert "backendRefs" not in rule
        assert [each["extensionRef"] for each in rule["filters"]] == [
            {**nowhere, "name": "outerloop-nowhere"}
        ]
    assert found.rule(OTHER)["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert [each["path"]["value"] for each in found.rule(UNDECIDED)["matches"]] == [*names.PATHS]
    # An agent's route has one header more, and so matches before.
    assert all("headers" not in each for each in found.rule(UNDECIDED)["matches"])


def test_the_policy_hangs_on_the_routes_that_match_first(rendered: Render) -> None:
    found = rendered()
    policy = found.spec("EnvoyExtensionPolicy", DECIDE)
    assert [each["name"] for each in policy["targetRefs"]] == [UNDECIDED, OTHER]
    (decides,) = policy["extProc"]
    assert decides["processingMode"] == {"request": {"body": "Buffered"}}
    assert decides["failOpen"] is False
    assert decides["messageTimeout"] == "32s"
    assert decides["metadata"] == {"writableNamespaces": ["outerloop"]}
    assert decides["backendRefs"] == [
        {"group": "", "kind": "Service", "name": "outerloop", "port": 9001}
    ]


def test_only_bodies_that_can_be_a_conversation_are_waited_for(rendered: Render) -> None:
    found = rendered(limits={"max_request_bytes": "8MiB"})
    assert found.spec("BackendTrafficPolicy", UNDECIDED)["requestBuffer"] == {"limit": 8 * 2**20}
    assert "requestBuffer" not in found.spec("BackendTrafficPolicy", OTHER)


def test_envoys_own_errors_are_said_in_our_words(rendered: Render) -> None:
    found = rendered()
    (status,) = {
        each["statusOnError"] for each in found.spec("EnvoyExtensionPolicy", DECIDE)["extProc"]
    }
    for route in (UNDECIDED, OTHER):
        overrides = found.spec("BackendTrafficPolicy", route)["responseOverride"]
        told = {
            each["match"]["statusCodes"][0]["value"]: each["response"]["statusCode"]
            for each in overrides
        }
        assert told == {413: 413, status: 503}
    # No error of ours has that status, or it would be replaced as well.
    assert status == 507


@pytest.mark.parametrize(
    ("rest", "patience"),
    [
        ({}, "5m42s"),
        ({"orchestrator": {"max_agents": 1}}, "42s"),
        ({"listener": {"timeout": "20m"}}, "20m42s"),
        # No longer than Envoy waits at most.
        ({"listener": {"timeout": "2h"}}, "1h"),
        (
            {
                "orchestrator": {"max_agents": 1},
                "listener": {"rules": [{"agents": ["a", "b"]}]},
            },
            "5m42s",
        ),
    ],
)
def test_envoy_waits_for_the_earlier_agents_of_a_plan(
    rendered: Render, rest: dict[str, Any], patience: str
) -> None:
    listener = {"decision_timeout": "40s", **rest.get("listener", {})}
    found = rendered(A, B, **{**rest, "listener": listener})
    (decides,) = found.spec("EnvoyExtensionPolicy", DECIDE)["extProc"]
    assert decides["messageTimeout"] == patience


@pytest.mark.parametrize("where", ["listener", "agent"])
def test_answers_pass_the_processor_where_one_is_filtered(rendered: Render, where: str) -> None:
    agents: list[dict[str, Any]] = [{"id": "a"}, {"id": "b"}]
    listener: dict[str, Any] = {"agents": agents}
    (listener if where == "listener" else agents[0])["output_filters"] = ["pii"]
    found = rendered(A, B, listener=listener, filters=PII)
    _, answers = found.spec("EnvoyExtensionPolicy", DECIDE)["extProc"]
    assert answers["processingMode"] == {
        "response": {"body": "FullDuplexStreamed", "attributes": ["response.code_details"]}
    }
    assert answers["failOpen"] is False
    assert answers["metadata"] == {
        "accessibleNamespaces": ["outerloop"],
        "writableNamespaces": ["outerloop"],
    }


def test_the_default_agent_gets_what_nobody_could_be_asked_about(rendered: Render) -> None:
    found = rendered(A, B, listener={"on_unavailable": "default_agent"})
    (decides,) = found.spec("EnvoyExtensionPolicy", DECIDE)["extProc"]
    assert decides["failOpen"] is True
    (rule,) = found.spec("HTTPRoute", UNDECIDED)["rules"]
    assert [each["name"] for each in rule["backendRefs"]] == ["outerloop-agent-a"]
    told = {
        each["name"]: each["value"]
        for each in found.filters(UNDECIDED)["RequestHeaderModifier"]["set"]
    }
    assert told == {
        "x-outerloop-agent": "a",
        "x-outerloop-plan": "a",
        "x-outerloop-source": "fallback",
        "x-outerloop-step": "1/1",
    }
    policy = found.spec("BackendTrafficPolicy", UNDECIDED)
    assert {"requestBuffer", "retry", "timeout", "responseOverride"} <= set(policy)
    assert "backendRefs" not in found.rule(OTHER)


def test_the_default_agents_key_is_injected_there_too(rendered: Render) -> None:
    keyed = {**A, "access_key": "$KEY"}
    listener = {"on_unavailable": "default_agent"}
    found = rendered(keyed, B, listener=listener, environ={"KEY": "sesame"})
    first, second = found.spec("HTTPRoute", UNDECIDED)["rules"]
    assert [len(each["matches"]) for each in (first, second)] == [2, 1]
    assert all(each["backendRefs"][0]["filters"] for each in (first, second))
