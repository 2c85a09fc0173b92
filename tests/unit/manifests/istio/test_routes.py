from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from extproc.names import PATHS, RESPONSE_HEADERS
from extproc.plan import Source

Spec = Callable[..., Any]


def http(spec: Spec, *agents: dict[str, Any], **rest: Any) -> list[Any]:
    return list(spec("VirtualService", "listener-travel", *agents, **rest)["http"])


def first(spec: Spec, **agent: Any) -> Any:
    return http(spec, {"id": "a", **agent})[0]


def test_an_agent_is_reached_by_the_decision(spec: Spec) -> None:
    assert first(spec, url="http://a.example.com:8080") == {
        "name": "agent/a",
        "match": [{"uri": {"prefix": "/v1/"}, "headers": {"x-outerloop-agent": {"exact": "a"}}}],
        "route": [
            {
                "destination": {
                    "host": "outerloop-agent-a.default.outerloop.internal",
                    "port": {"number": 80},
                }
            }
        ],
        "headers": {
            "request": {
                "remove": ["x-envoy-internal"],
                "add": {"x-forwarded-host": "%REQ(:authority)%"},
            }
        },
        "retries": {
            "attempts": 1,
            "retryOn": "connect-failure,refused-stream,reset-before-request",
            "retryIgnorePreviousHosts": True,
        },
        "rewrite": {"authority": "a.example.com:8080"},
        "timeout": "300s",
    }


def test_an_agents_own_path_goes_before_the_clients(spec: Spec) -> None:
    assert first(spec, url="http://a.example.com/base/v1")["rewrite"] == {
        "uri": "/base/v1/",
        "authority": "a.example.com",
    }


def test_hosts_of_several_names_are_called_by_the_clients(spec: Spec) -> None:
    assert "rewrite" not in first(spec, endpoints=["http://10.0.0.1", "http://10.0.0.2"])


def test_variants_have_their_shares_and_their_names(spec: Spec) -> None:
    variants = [
        {"id": "stable", "weight": 3, "url": "http://a.example.com"},
        {"id": "canary", "weight": 1, "url": "http://b.example.com"},
    ]
    route = first(spec, variants=variants)
    shares: dict[str, int] = {}
    for each in route["route"]:
        authority = each["headers"]["request"]["set"][":authority"]
        shares[authority] = shares.get(authority, 0) + each["weight"]
    assert shares == {"a.example.com": 750_000, "b.example.com": 250_000}
    assert "rewrite" not in route


def test_copies_go_where_they_are_sent(spec: Spec) -> None:
    mirror = {"url": "http://copies.example.com", "percent": 12.5}
    assert first(spec, url="http://10.0.0.1", mirror=mirror)["mirrors"] == [
        {
            "destination": {
                "host": "outerloop-mirror-a.default.outerloop.internal",
                "port": {"number": 80},
            },
            "percentage": {"value": 12.5},
        }
    ]


def test_statuses_and_further_groups_are_tried(spec: Spec) -> None:
    retries = {"num_retries": 2, "retry_on": ["reset", 503], "per_try_timeout": "500ms"}
    failover = ["http://10.9.0.1"]
    assert first(spec, url="http://10.0.0.1", failover=failover, retries=retries)["retries"] == {
        "attempts": 2,
        "retryOn": "reset,503",
        "retryIgnorePreviousHosts": True,
        "perTryTimeout": "0.5s",
        "retryRemoteLocalities": True,
    }


@pytest.mark.parametrize(
    "keys", [{"retries": {"num_retries": 0}}, {"circuit_breaker": {"max_retries": 0}}]
)
def test_what_is_not_tried_again_says_so(spec: Spec, keys: dict[str, Any]) -> None:
    # Without a word Istio would try twice.
    assert first(spec, url="http://10.0.0.1", **keys)["retries"] == {"attempts": 0}


def test_credentials_of_callers_stay_behind(spec: Spec) -> None:
    removed = first(spec, url="http://10.0.0.1", forward_authorization=False)
    assert removed["headers"]["request"]["remove"] == [
        "authorization",
        "x-api-key",
        "x-envoy-internal",
    ]


def test_headers_that_are_no_secrets_are_set(spec: Spec) -> None:
    headers = {"x-team": "50% of it", "x-secret": "$TOKEN"}
    route = first(spec, url="http://10.0.0.1", headers=headers)
    assert route["headers"]["request"]["set"] == {"x-team": "50%% of it"}


def test_filters_must_be_able_to_read_an_answer(spec: Spec) -> None:
    personal = {"id": "personal", "type": "builtin", "use": "pii"}
    listener = {"output_filters": ["personal"]}
    (route, *_) = http(spec, listener=listener, filters=[personal])
    assert route["headers"]["request"]["set"] == {"accept-encoding": "identity"}


def test_a_cluster_of_the_mesh_says_nothing_in_our_name(spec: Spec) -> None:
    route = first(spec, cluster="outbound|80||reviews.default.svc.cluster.local")
    assert route["route"][0]["destination"]["host"] == "reviews.default.svc.cluster.local"
    assert route["headers"]["response"]["remove"] == list(RESPONSE_HEADERS)
    assert "rewrite" not in route


def test_nothing_undecided_goes_anywhere(spec: Spec) -> None:
    _, *undecided, elsewhere = http(spec)
    paths = [each["match"][0]["uri"]["exact"] for each in undecided]
    assert paths == list(PATHS)
    for route in (*undecided, elsewhere):
        assert "route" not in route
        assert route["directResponse"]["status"] == 503
        error = json.loads(route["directResponse"]["body"]["string"])["error"]
        assert error["code"] == "no_route"
        assert route["headers"]["response"]["set"]["x-outerloop-error"] == "no_route"
    assert "match" not in elsewhere


def test_without_the_processor_the_default_agent_may_get_it(spec: Spec) -> None:
    agent = {"id": "a", "url": "http://10.0.0.1/base"}
    _, *unasked, _ = http(spec, agent, listener={"on_unavailable": "default_agent"})
    assert [each["name"] for each in unasked] == ["unasked"] * len(PATHS)
    for path, route in zip(PATHS, unasked, strict=True):
        assert route["match"] == [{"uri": {"exact": path}, "method": {"exact": "POST"}}]
        assert route["rewrite"]["uri"] == f"/base{path}"
        told = route["headers"]["request"]["set"]
        assert told["x-outerloop-agent"] == "a"
        assert told["x-outerloop-source"] == Source.FALLBACK.value


def test_preflights_pass_the_filter_that_answers_them(spec: Spec) -> None:
    name = "envoy.filters.http.cors"
    kind = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy"
    own = {"per_route": {name: {"@type": kind}}}
    *_, preflight, _ = http(spec, envoy=own)
    assert preflight["match"] == [{"method": {"exact": "OPTIONS"}}]
    assert "directResponse" not in preflight
    assert "preflight" not in {each["name"] for each in http(spec)}


def test_calls_of_the_processor_go_by_their_target(spec: Spec) -> None:
    guard = {"id": "guard", "url": "http://guard.example.com", "type": "http"}
    listener = {"input_filters": ["guard"]}
    egress = {"url": "http://out.istio-system:8080"}
    agent = {"id": "a", "url": "http://10.0.0.1/base", "headers": {"x-team": "b"}}
    found = spec(
        "VirtualService", "egress", agent, listener=listener, filters=[guard], egress=egress
    )
    routes = {each["name"]: each for each in found["http"]}
    assert set(routes) == {"target/filter/guard", "target/agent/a"}
    route = routes["target/agent/a"]
    assert route["match"][0]["headers"] == {"x-outerloop-target": {"exact": "agent/a"}}
    # The processor keeps the time, puts the path together, and sends the headers.
    assert "timeout" not in route
    assert route["rewrite"] == {"authority": "10.0.0.1"}
    assert route["headers"]["request"] == {"remove": ["x-envoy-internal", "x-outerloop-target"]}
