from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from extproc import names
from extproc.manifests.source import Unrenderable

if TYPE_CHECKING:
    from tests.unit.manifests.envoy_gateway.conftest import Rendered

    Render = Callable[..., Rendered]

ROUTE = "outerloop-route-travel-a"
URL = "http://10.0.0.1"


def agent(**keys: Any) -> dict[str, Any]:
    return {"id": "a", **({} if {"variants", "cluster"} & set(keys) else {"url": URL}), **keys}


def test_an_agent_is_reached_by_the_decision_alone(rendered: Render) -> None:
    found = rendered(agent())
    decided = [{"type": "Exact", "name": "x-outerloop-agent", "value": "a"}]
    assert found.rule(ROUTE)["matches"] == [
        {"path": {"type": "Exact", "value": path}, "method": "POST", "headers": decided}
        for path in names.PATHS
    ]
    assert found.spec("HTTPRoute", ROUTE)["parentRefs"] == [
        {"name": "outerloop", "sectionName": "travel"}
    ]
    reference = found.filters(ROUTE)["ExtensionRef"]
    assert reference["name"] == ROUTE
    assert "urlRewrite" in found.spec("HTTPRouteFilter", ROUTE)


def test_ids_that_differ_in_case_alone_have_routes_of_their_own(rendered: Render) -> None:
    found = rendered(agent(id="Agent_1"), agent(id="agent-1"), agent(id="agent_1"))
    matched = {
        rule["matches"][0]["headers"][0]["value"]
        for name in found.names("HTTPRoute")
        for rule in found.spec("HTTPRoute", name)["rules"]
        if "headers" in rule["matches"][0]
    }
    assert matched == {"Agent_1", "agent-1", "agent_1"}
    for kind in ("HTTPRoute", "Backend", "BackendTrafficPolicy", "HTTPRouteFilter"):
        assert len(set(found.names(kind))) == len(found.names(kind))


def test_headers_are_set_and_taken_away(rendered: Render) -> None:
    keys = {"headers": {"x-team": "50% of it"}, "forward_authorization": False}
    found = rendered(agent(**keys)).filters(ROUTE)
    assert found["RequestHeaderModifier"] == {
        "set": [{"name": "x-team", "value": "50%% of it"}],
        "remove": ["x-envoy-internal", "x-outerloop-target", "authorization", "x-api-key"],
    }
    assert found["ResponseHeaderModifier"] == {"remove": list(names.RESPONSE_HEADERS)}


def test_the_callers_credentials_go_on_by_default(rendered: Render) -> None:
    found = rendered(agent()).filters(ROUTE)
    assert found["RequestHeaderModifier"] == {"remove": ["x-envoy-internal", "x-outerloop-target"]}


@pytest.mark.parametrize("value", ["grün", "two  blanks", ""])
def test_a_value_that_a_route_cannot_have_is_refused(rendered: Render, value: str) -> None:
    with pytest.raises(Unrenderable, match=r"agents\[a\]\.headers\.x-team"):
        rendered(agent(headers={"x-team": value}))


def test_too_many_headers_are_refused(rendered: Render) -> None:
    with pytest.raises(Unrenderable, match="16"):
        rendered(agent(headers={f"x-{number}": "1" for number in range(17)}))


def test_a_cluster_of_the_users_is_refused(rendered: Render) -> None:
    with pytest.raises(Unrenderable, match=r"agents\[a\]\.cluster"):
        rendered(agent(cluster="outbound|80||x"))


def test_a_key_is_injected_by_the_backends_of_each_api(rendered: Render) -> None:
    found = rendered(agent(access_key="$KEY"), environ={"KEY": "sesame"})
    paths = [
        [match["path"]["value"] for match in found.rule(ROUTE, number)["matches"]]
        for number in range(2)
    ]
    assert paths == [["/v1/chat/completions", "/v1/responses"], ["/v1/messages"]]
    # A filter of the route would be switched on by the route that matches first, which is another.
    filters = [found.rule(ROUTE, number)["backendRefs"][0]["filters"] for number in range(2)]
    assert [each[0]["extensionRef"]["name"] for each in filters] == [
        "outerloop-bearer-a",
        "outerloop-key-a",
    ]
    assert "sesame" not in str(found.manifests)
    assert found.filters(ROUTE)["RequestHeaderModifier"]["remove"][-2:] == [
        "authorization",
        "x-api-key",
    ]


def test_a_header_from_the_environment_is_not_rendered(rendered: Render) -> None:
    keys = {"headers": {"x-token": "$TOKEN", "x-plain": "b"}}
    found = rendered(agent(**keys), environ={"TOKEN": "sesame"})
    assert "sesame" not in str(found.manifests)
    assert found.filters(ROUTE)["RequestHeaderModifier"]["set"] == [
        {"name": "x-plain", "value": "b"}
    ]
    (backend,) = found.rule(ROUTE)["backendRefs"]
    assert len(backend["filters"]) == 1


def variants(*found: tuple[str, int, list[str]]) -> dict[str, Any]:
    return {"variants": [{"id": n, "weight": w, "endpoints": e} for n, w, e in found]}


@pytest.mark.parametrize(
    ("told", "header"),
    [
        ("full", {"set": [{"name": "x-outerloop-variant", "value": "stable"}]}),
        ("basic", {"remove": ["x-outerloop-variant"]}),
    ],
)
def test_variants_are_weighted_clusters_of_their_own(
    rendered: Render, told: str, header: dict[str, Any]
) -> None:
    keys = variants(("stable", 95, [URL]), ("canary", 5, ["http://10.0.0.2"]))
    found = rendered(agent(**keys), observability={"response_headers": told})
    stable, canary = found.rule(ROUTE)["backendRefs"]
    assert [(each["name"], each["weight"]) for each in (stable, canary)] == [
        ("outerloop-variant-a-stable", 95),
        ("outerloop-variant-a-canary", 5),
    ]
    assert stable["filters"] == [
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": header}
    ]
    # The route must not take away what the backend has set: it comes later.
    removed = found.filters(ROUTE)["ResponseHeaderModifier"]["remove"]
    assert "x-outerloop-variant" not in removed


def test_shares_stay_as_they_are_where_a_variant_has_several_backends(rendered: Render) -> None:
    mixed = ["http://10.0.0.2", "http://10.0.0.3", "http://x.example.com"]
    found = rendered(agent(**variants(("stable", 90, [URL]), ("canary", 10, mixed))))
    weights = [each["weight"] for each in found.rule(ROUTE)["backendRefs"]]
    assert weights == [270, 20, 10]


def test_a_variant_with_no_weight_gets_none(rendered: Render) -> None:
    found = rendered(agent(**variants(("stable", 1, [URL]), ("off", 0, [URL]))))
    assert [each["weight"] for each in found.rule(ROUTE)["backendRefs"]] == [1, 0]


def test_copies_go_to_a_backend_of_their_own(rendered: Render) -> None:
    found = rendered(agent(mirror={"url": "http://10.0.0.9", "percent": 12.5}))
    assert found.filters(ROUTE)["RequestMirror"] == {
        "backendRef": {
            "group": "gateway.envoyproxy.io",
            "kind": "Backend",
            "name": "outerloop-mirror-a",
        },
        "fraction": {"numerator": 125_000, "denominator": 1_000_000},
    }


@pytest.mark.parametrize(
    "keys",
    [
        {"access_key": "$KEY", "failover": ["http://10.9.0.1"]},
        {"headers": {"x-token": "$KEY"}, "failover": ["http://10.9.0.1"]},
        {"variants": [{"id": "v", "weight": 1, "url": URL, "failover": ["http://10.9.0.1"]}]},
    ],
)
def test_failover_is_left_out_where_it_would_be_a_share(
    rendered: Render, keys: dict[str, Any]
) -> None:
    found = rendered(agent(**keys), environ={"KEY": "sesame"})
    assert "10.9.0.1" not in str(found.manifests.documents)
    policy = found.spec("BackendTrafficPolicy", ROUTE)
    assert "numAttemptsPerPriority" not in policy["retry"]
    assert len(found.notes("agents[a].")) >= 1


def test_answers_that_are_filtered_are_asked_for_readable(rendered: Render) -> None:
    listener = {"output_filters": ["pii"]}
    found = rendered(
        agent(), listener=listener, filters=[{"id": "pii", "type": "builtin", "use": "pii"}]
    )
    assert found.filters(ROUTE)["RequestHeaderModifier"]["set"] == [
        {"name": "accept-encoding", "value": "identity"}
    ]
