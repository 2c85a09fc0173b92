from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.manifests.envoy_gateway.conftest import Rendered

    Render = Callable[..., Rendered]

A = {"id": "a", "url": "http://10.0.0.1"}
B = {"id": "b", "url": "http://10.0.0.2"}


def test_each_says_why_it_is_there(rendered: Render) -> None:
    found = rendered(A, B).manifests.documents
    policies = [each for each in found if each["kind"] == "EnvoyPatchPolicy"]
    assert [each["metadata"]["name"] for each in policies] == [
        f"outerloop-patch-{part}" for part in ("mutations", "trailers", "workers")
    ] + [policies[3]["metadata"]["name"], "outerloop-patch-timeouts"]
    for each in policies:
        assert each["metadata"]["annotations"]["outerloop/reason"]
        assert each["spec"]["targetRef"]["name"] == "outerloop"


def test_they_are_for_each_listener(rendered: Render) -> None:
    found = rendered(A, listener={"name": "Desk"}, deploy={"namespace": "agents"})
    (section,) = (each["name"] for each in found.spec("Gateway", "outerloop")["listeners"])
    (patch,) = found.spec("EnvoyPatchPolicy", "outerloop-patch-trailers")["jsonPatches"]
    assert patch["type"] == "type.googleapis.com/envoy.config.listener.v3.Listener"
    assert patch["name"] == f"agents/outerloop/{section}"
    assert patch["operation"]["path"] == "processing_mode/request_trailer_mode"
    assert patch["operation"]["value"] == "SEND"


def test_a_worker_that_stands_still_is_given_up_soon(rendered: Render) -> None:
    found = rendered(A, B, listener={"decision_timeout": "1500ms"})
    patches = found.spec("EnvoyPatchPolicy", "outerloop-patch-timeouts")["jsonPatches"]
    assert {each["operation"]["path"]: each["operation"]["value"] for each in patches} == {
        "message_timeout": "3.5s",
        "max_message_timeout": "3600s",
    }


def test_where_there_are_no_plans_the_timeout_is_right_without(rendered: Render) -> None:
    assert "outerloop-patch-timeouts" not in rendered(A).names("EnvoyPatchPolicy")


def test_the_processor_may_set_what_is_ours_alone(rendered: Render) -> None:
    (patch,) = rendered(A).spec("EnvoyPatchPolicy", "outerloop-patch-mutations")["jsonPatches"]
    rules = patch["operation"]["value"]
    assert rules["disallow_all"] is True
    assert rules["allow_expression"]["regex"].startswith("^(x-outerloop-")
    assert "authorization" not in str(rules)
