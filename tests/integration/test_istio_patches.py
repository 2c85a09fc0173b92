"""The real Envoy takes what the target `istio` patches into what Istio makes."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from extproc.config.lenient import Lenient
from extproc.config.load import loads
from extproc.manifests.istio.render import render
from extproc.manifests.source import Source
from tests.e2e.gateway import ENVOY

EVERY = Path(__file__).parents[1] / "unit/manifests/istio/every.yaml"
MANAGER = "envoy.filters.network.http_connection_manager"
KINDS = "type.googleapis.com/envoy.extensions.filters"
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{KINDS}.http.router.v3.Router"},
}
SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
Json = dict[str, Any]


def merged(base: Any, patch: Any) -> Any:
    """Merge as protobuf does: messages by their fields, lists behind each other."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return base | {key: merged(base.get(key), value) for key, value in patch.items()}
    return base + patch if isinstance(base, list) and isinstance(patch, list) else patch


def patched_listener(patches: Iterable[Json], port: int) -> Json:
    """Return a listener as Istio would make it of a Gateway, with the patches of its port."""
    by_kind: dict[str, list[Json]] = {}
    for each in patches:
        by_kind.setdefault(each["applyTo"], []).append(each)
    manager: Json = {
        "name": MANAGER,
        "typed_config": {
            "@type": f"{KINDS}.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "test",
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "route_config": {"name": "test", "virtual_hosts": [host(by_kind, port)]},
        },
    }
    before: list[Json] = []
    for each in (patch["patch"] for patch in by_kind["NETWORK_FILTER"]):
        if each["operation"] == "MERGE":
            manager = merged(manager, each["value"])
        else:
            before.append(each["value"])
    filters, router = [], ROUTER
    for each in (patch["patch"] for patch in by_kind["HTTP_FILTER"]):
        if each["operation"] == "MERGE":
            router = merged(router, each["value"])
        else:
            filters.append(each["value"])
    manager["typed_config"]["http_filters"] = [*filters, router]
    listener = {
        "name": f"0.0.0.0_{port}",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [*before, manager]}],
    }
    for each in by_kind["LISTENER"]:
        listener = merged(listener, each["patch"]["value"])
    return listener


def host(by_kind: Mapping[str, list[Json]], port: int) -> Json:
    routes = []
    for each in by_kind.get("HTTP_ROUTE", ()):
        value = each["patch"]["value"]
        action: Json = {"cluster": "somewhere"}
        if "weighted_clusters" in value.get("route", {}):
            action = {"weighted_clusters": {"clusters": [{"name": "somewhere", "weight": 1}]}}
        routes.append(merged({"match": {"prefix": "/"}, "route": action}, value))
    found: Json = {"name": f"*:{port}", "domains": ["*"], "routes": routes}
    for each in by_kind.get("VIRTUAL_HOST", ()):
        found = merged(found, each["patch"]["value"])
    return found


def patched_cluster(patch: Json) -> Json:
    name = patch["match"].get("cluster", {}).get("name")
    if name is None:
        return dict(patch["patch"]["value"])
    base = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "10s",
        "load_assignment": {"cluster_name": name},
        "metadata": {"filter_metadata": {"istio": {}}},
    }
    return dict(merged(base, patch["patch"]["value"]))


@pytest.fixture(params=["ingressgateway", "mesh"])
def patches(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, list[Json]]:
    """The patches of each EnvoyFilter, with the files that they name in a folder of the test."""
    document = yaml.safe_load(EVERY.read_text())
    document["deploy"]["gateway_class"] = request.param
    text = yaml.safe_dump(document)
    variables = Lenient({})
    loaded = loads(text, "every.yaml", variables, tmp_path)
    documents = render(Source(loaded.config, text, tuple(variables.asked))).documents
    rendered = json.dumps([each for each in documents if each["kind"] == "EnvoyFilter"])
    for name in set(re.findall(r"/etc/outerloop/(secret-[^\"]+)", rendered)):
        secret = name.removeprefix("secret-").removesuffix(".json")
        value = {"secret": {"inline_string": "hush"}}
        resource = {"@type": SECRET, "name": secret, "generic_secret": value}
        (tmp_path / name).write_text(json.dumps({"resources": [resource]}))
    return {
        each["metadata"]["name"]: each["spec"]["configPatches"]
        for each in json.loads(rendered.replace("/etc/outerloop/", f"{tmp_path}/"))
    }


def test_all_patches_are_valid(patches: dict[str, list[Json]], tmp_path: Path) -> None:
    every = [patch for each in patches.values() for patch in each]
    clusters = {each["name"]: each for each in map(patched_cluster, _of("CLUSTER", every))}
    listeners = [
        patched_listener([each for each in found if each["applyTo"] != "CLUSTER"], port)
        for port, (name, found) in enumerate(patches.items(), 10_000)
        if "clusters" not in name
    ]
    assert len(listeners) == 4
    somewhere = {"name": "somewhere", "type": "STATIC", "connect_timeout": "1s"}
    bootstrap = tmp_path / "bootstrap.yaml"
    resources = {"listeners": listeners, "clusters": [somewhere, *clusters.values()]}
    bootstrap.write_text(
        yaml.safe_dump({"node": {"id": "x", "cluster": "x"}, "static_resources": resources})
    )
    command = [ENVOY, "--mode", "validate", "-c", str(bootstrap), "-l", "error"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _of(kind: str, patches: Iterable[Json]) -> list[Json]:
    return [each for each in patches if each["applyTo"] == kind]
