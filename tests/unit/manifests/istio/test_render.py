from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from extproc.config.lenient import Lenient
from extproc.config.load import loads
from extproc.manifests.istio.render import render
from extproc.manifests.source import Manifests, Source, Unrenderable
from tests.crds import ABSENT, FOLDER, validate

EVERY = Path(__file__).with_name("every.yaml")
SECRETS = {"KEY": "the-key-of-an-agent", "TOKEN": "the-token-of-an-agent"}
Make = Callable[..., Any]


def rendered(**deploy: str) -> Manifests:
    text = EVERY.read_text()
    if deploy:
        document = yaml.safe_load(text)
        text = yaml.safe_dump({**document, "deploy": {**document["deploy"], **deploy}})
    variables = Lenient(SECRETS)
    loaded = loads(text, "every.yaml", variables, Path("/etc/outerloop-of-the-test"))
    return render(Source(loaded.config, text, tuple(variables.asked)))


@pytest.fixture(scope="module", params=["ingressgateway", "clients/mesh"])
def every(request: pytest.FixtureRequest) -> Manifests:
    return rendered(gateway_class=request.param)


def kinds(manifests: Manifests) -> list[str]:
    return [each["kind"] for each in manifests.documents]


@pytest.mark.skipif(not FOLDER.is_dir(), reason=ABSENT)
def test_the_definitions_of_istio_accept_all_of_it(every: Manifests) -> None:
    validate(each for each in every.documents if each["apiVersion"] != "v1")


def test_no_secret_is_in_it(every: Manifests) -> None:
    text = yaml.safe_dump_all(every.documents) + "\n".join(every.notes)
    assert [secret for secret in SECRETS.values() if secret in text] == []


def test_no_two_objects_are_one(every: Manifests) -> None:
    names = [
        (each["kind"], each["metadata"]["namespace"], each["metadata"]["name"])
        for each in every.documents
    ]
    assert len(set(names)) == len(names)


def test_the_same_file_gives_the_same_objects() -> None:
    assert rendered() == rendered()


def test_spoofing_is_prevented_before_there_are_routes(every: Manifests) -> None:
    order = kinds(every)
    last_patch = len(order) - 1 - order[::-1].index("EnvoyFilter")
    assert last_patch < order.index("VirtualService")


def test_every_route_leads_to_a_service_that_is_known(every: Manifests) -> None:
    known = {
        host
        for each in every.documents
        if each["kind"] == "ServiceEntry"
        for host in each["spec"]["hosts"]
    }
    called = {
        destination["destination"]["host"]
        for each in every.documents
        if each["kind"] == "VirtualService"
        for route in each["spec"]["http"]
        for destination in (*route.get("route", ()), *route.get("mirrors", ()))
    }
    of_the_mesh = {"legacy.other.svc.cluster.local", "reviews.bookinfo.svc.cluster.local"}
    assert called - known == {*of_the_mesh, "nowhere.outerloop.internal"}


def test_every_patched_route_is_there(every: Manifests) -> None:
    there = {
        route["name"]
        for each in every.documents
        if each["kind"] == "VirtualService"
        for route in each["spec"]["http"]
    }
    patched = {
        patch["match"]["routeConfiguration"]["vhost"]["route"]["name"]
        for each in every.documents
        if each["kind"] == "EnvoyFilter"
        for patch in each["spec"]["configPatches"]
        if patch["applyTo"] == "HTTP_ROUTE"
    }
    # That one is the user's own.
    assert patched - there == {"watched"}


def test_a_listener_that_only_watches_has_no_entrance(make: Make) -> None:
    assert set(kinds(make(listener={"mode": "observe"}))) == {"EnvoyFilter"}


def test_the_way_out_has_no_path_of_its_own(make: Make) -> None:
    with pytest.raises(Unrenderable, match=r"egress\.url: a path"):
        make(egress={"url": "http://out:8080/base"})


def test_each_listener_has_its_own(make: Make) -> None:
    found = make().documents
    assert kinds(make()) == [
        "ServiceEntry",
        "DestinationRule",
        *["EnvoyFilter"] * 2,
        "Gateway",
        "VirtualService",
    ]
    gateway, routes = found[-2:]
    assert routes["spec"]["gateways"] == [f"default/{gateway['metadata']['name']}"]


def test_of_two_agents_behind_one_service_the_first_has_the_say(make: Make) -> None:
    agents = [
        {"id": each, "service": "shop.other:80", "timeout": timeout}
        for each, timeout in (("a", "1s"), ("b", "2s"))
    ]
    assert kinds(make(*agents)).count("DestinationRule") == 1
    (_, note) = make(*agents).notes
    assert note.startswith("agents[b]: has the limits and checks of agents[a]")


def test_keys_of_two_agents_behind_one_service_cannot_be_told_apart(make: Make) -> None:
    agents: list[dict[str, Any]] = [
        {"id": "a", "service": "shop.other:80"},
        {"id": "b", "service": "shop.other:80", "access_key": "$KEY"},
    ]
    with pytest.raises(Unrenderable, match=r"agents\[b\]: has the Service of agents\[a\]"):
        make(*agents)
