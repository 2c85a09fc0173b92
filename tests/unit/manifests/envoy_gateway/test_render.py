from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extproc.config.load import loads
from extproc.manifests.envoy_gateway.render import render
from extproc.manifests.source import Source, Unrenderable

if TYPE_CHECKING:
    from tests.unit.manifests.envoy_gateway.conftest import Rendered

    Render = Callable[..., Rendered]

EVERY = Path(__file__).with_name("every.yaml")
SECRETS = {"KEY": "never-rendered-1", "TOKEN": "never-rendered-2"}


@pytest.fixture(scope="module")
def every() -> Source:
    text = EVERY.read_text(encoding="utf-8")
    return Source(loads(text, EVERY.name, SECRETS).config, text, tuple(SECRETS))


def test_every_object_has_a_name_of_its_own(every: Source) -> None:
    documents = render(every).documents
    names = [
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in documents
    ]
    assert len(set(names)) == len(names)
    assert len(names) > 100


def test_what_is_referred_to_is_there(every: Source) -> None:
    documents = render(every).documents
    there = {(each["kind"], each["metadata"]["name"]) for each in documents}
    ours = {kind for kind, _ in there}

    def walk(value: object) -> None:
        if isinstance(value, dict):
            kind, name = value.get("kind"), value.get("name")
            # A Service, Secret or ConfigMap is the user's.
            assert kind not in ours or name is None or (kind, name) in there, value
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    for each in documents:
        walk(dict(each["spec"]))
        for parent in each["spec"].get("parentRefs", ()):
            assert ("Gateway", parent["name"]) in there


def test_no_secret_and_no_path_of_this_machine_is_rendered(every: Source) -> None:
    manifests = render(every)
    for secret in SECRETS.values():
        assert secret not in str(manifests)
    assert str(Path.cwd()) not in str(manifests.documents)


def test_the_same_file_gives_the_same_manifests(every: Source) -> None:
    assert render(every) == render(every)


def test_a_policy_has_one_target_and_a_target_one_policy(every: Source) -> None:
    targets = [
        (each["kind"], target["name"], target.get("sectionName"))
        for each in render(every).documents
        if each["kind"] in {"BackendTrafficPolicy", "ClientTrafficPolicy", "EnvoyExtensionPolicy"}
        for target in each["spec"]["targetRefs"]
    ]
    assert len(set(targets)) == len(targets)


def test_filters_as_envoy_writes_them_are_refused(rendered: Render) -> None:
    before = [{"name": "x", "typed_config": {"@type": "type.googleapis.com/x"}}]
    for where in ("before_decision", "after_decision"):
        with pytest.raises(Unrenderable, match=r"envoy\.http_filters"):
            rendered(envoy={"http_filters": {where: before}})


def test_routes_to_agents_are_those_of_their_listener(rendered: Render) -> None:
    agents = [{"id": name, "url": "http://10.0.0.1"} for name in ("a", "b")]
    found = rendered(*agents, listener={"agents": [{"id": "a"}]})
    assert "outerloop-route-travel-a" in found.names("HTTPRoute")
    assert "outerloop-route-travel-b" not in found.names("HTTPRoute")


def test_an_agent_of_a_rule_is_reached_too(rendered: Render) -> None:
    agents = [{"id": name, "url": "http://10.0.0.1"} for name in ("a", "b")]
    listener = {"agents": [{"id": "a"}], "rules": [{"agents": ["b"]}]}
    assert "outerloop-route-travel-b" in rendered(*agents, listener=listener).names("HTTPRoute")
