from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from extproc.manifests.source import Unrenderable

if TYPE_CHECKING:
    from tests.unit.manifests.envoy_gateway.conftest import Rendered

    Render = Callable[..., Rendered]

EGRESS = {"url": "http://outerloop-egress.envoy-gateway-system:8080"}
NAME = "outerloop-egress"
A = {"id": "a", "url": "http://10.0.0.1/base"}
GUARD = {"id": "guard", "url": "http://10.0.0.5:1/check", "type": "http"}


def called(found: Rendered, target: str) -> Any:
    """Return the rules of the route to a target."""
    (route,) = (
        spec
        for spec in (found.spec("HTTPRoute", name) for name in found.names("HTTPRoute"))
        if _header(spec) == target
    )
    assert route["parentRefs"] == [{"name": NAME, "sectionName": "calls"}]
    return route["rules"]


def _header(spec: Any) -> str | None:
    headers = spec["rules"][0]["matches"][0].get("headers", ())
    return next((each["value"] for each in headers if each["name"] == "x-outerloop-target"), None)


def test_without_it_there_is_no_gateway_for_calls(rendered: Render) -> None:
    found = rendered(A)
    assert found.names("Gateway") == ["outerloop"]
    assert found.names("EnvoyProxy") == []


def test_it_is_a_gateway_that_nobody_else_reaches(rendered: Render) -> None:
    found = rendered(A, egress=EGRESS)
    assert found.names("Gateway") == ["outerloop", NAME]
    gateway = found.spec("Gateway", NAME)
    assert [(each["port"], each["protocol"]) for each in gateway["listeners"]] == [(8080, "HTTP")]
    assert gateway["infrastructure"]["parametersRef"]["name"] == NAME
    service = found.spec("EnvoyProxy", NAME)["provider"]["kubernetes"]["envoyService"]
    assert service == {"type": "ClusterIP", "name": "outerloop-egress"}
    # Nothing is decided there, so that nothing can loop.
    policies = [
        target["name"]
        for name in found.names("EnvoyExtensionPolicy")
        for target in found.spec("EnvoyExtensionPolicy", name)["targetRefs"]
    ]
    assert policies == ["outerloop-undecided-travel", "outerloop-other-travel"]


def test_agents_are_called_by_the_path_that_the_processor_says(rendered: Render) -> None:
    found = rendered(A, egress=EGRESS)
    (rule,) = called(found, "agent/a")
    assert [each["path"]["value"] for each in rule["matches"]] == [
        "/base/v1/chat/completions",
        "/base/v1/messages",
        "/base/v1/responses",
    ]
    name = rule["filters"][0]["extensionRef"]["name"]
    assert "path" not in found.spec("HTTPRouteFilter", name)["urlRewrite"]
    policy = found.spec("BackendTrafficPolicy", name)
    # Each call has the caller's deadline.
    assert policy["timeout"]["http"]["requestTimeout"] == "0s"
    assert policy["timeout"]["http"]["streamIdleTimeout"] == "5m"
    # The same hosts as those of clients' requests.
    assert [each["name"] for each in rule["backendRefs"]] == ["outerloop-agent-a"]


def test_agents_get_their_keys_there_too(rendered: Render) -> None:
    found = rendered({**A, "access_key": "$KEY"}, egress=EGRESS, environ={"KEY": "sesame"})
    first, second = called(found, "agent/a")
    assert [len(each["matches"]) for each in (first, second)] == [2, 1]
    assert all(each["backendRefs"][0]["filters"] for each in (first, second))


def test_filters_and_models_are_called_too(rendered: Render) -> None:
    model = {"url": "https://models.example.com", "name": "m"}
    found = rendered(
        A,
        egress=EGRESS,
        filters=[GUARD],
        orchestrator={"strategy": "model", "model": model},
        listener={"input_filters": ["guard"]},
    )
    for target in ("filter/guard", "model"):
        (rule,) = called(found, target)
        modified = {each["type"]: each for each in rule["filters"]}
        removed = modified["RequestHeaderModifier"]["requestHeaderModifier"]["remove"]
        assert removed == ["x-outerloop-target"]
        # The processor takes what has this for an answer of the gateway's own.
        removed = modified["ResponseHeaderModifier"]["responseHeaderModifier"]["remove"]
        assert removed == ["x-outerloop-error"]
    assert any("models" in str(found.spec("Backend", each)) for each in found.names("Backend"))


@pytest.mark.parametrize("url", ["https://egress.example.com", "http://egress.example.com/x"])
def test_an_address_that_a_gateway_cannot_have_is_refused(rendered: Render, url: str) -> None:
    with pytest.raises(Unrenderable, match=r"egress\.url"):
        rendered(A, egress={"url": url})
