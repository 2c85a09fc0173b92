"""Envoy Gateway in standalone mode: resources from files, and Envoy as a process of its own.

It always listens on its ports 8081, 18000, 18002, 19000 and 19001, so that one can run at a time.
"""

from __future__ import annotations

import base64
import re
import subprocess
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from extproc.manifests.envoy_gateway.objects import ENVOY_GATEWAY, GATEWAY_API
from tests.e2e.conftest import Process
from tests.e2e.gateway import ENVOY
from tests.mesh.harness import Manifest, eventually

BINARY: Final = Path(__file__).parents[2] / ".mesh/bin/envoy-gateway"
ENVOY_VERSION: Final = "1.40.0"
READY: Final = "http://127.0.0.1:8081/readyz"
CLASS: Final = "mesh"
_ON_THE_HOST: Final = {"type": "Host", "host": {"envoyVersion": ENVOY_VERSION}}
_OUR_CLASS: Final = [
    {
        "apiVersion": f"{GATEWAY_API}/v1",
        "kind": "GatewayClass",
        "metadata": {"name": CLASS},
        "spec": {
            "controllerName": f"{ENVOY_GATEWAY}/gatewayclass-controller",
            "parametersRef": {
                "group": ENVOY_GATEWAY,
                "kind": "EnvoyProxy",
                "name": CLASS,
                "namespace": "default",
            },
        },
    },
    {
        "apiVersion": f"{ENVOY_GATEWAY}/v1alpha1",
        "kind": "EnvoyProxy",
        "metadata": {"name": CLASS, "namespace": "default"},
        "spec": {"provider": _ON_THE_HOST},
    },
]
_STATUS: Final = re.compile(
    r"Got new status for (?P<kind>\w+)\n(?P<status>.*?)\n\t\{.*?\"key\": \"(?P<name>[^\"]*)\"\}",
    re.DOTALL,
)


class EnvoyGateway:
    """Envoy Gateway and the Envoy of the tests, which it would otherwise download."""

    target = "envoy-gateway"
    deploy: Mapping[str, Any] = {"gateway_class": CLASS}

    def __init__(self, *, patches: bool = True) -> None:
        self.patches = patches
        self._process: Process | None = None
        self._folder = Path()
        self._applied = 0
        self.others: list[Manifest] = []
        """Objects beside the rendered ones, such as Secrets."""

    def missing(self) -> str | None:
        return None if BINARY.exists() else f"{BINARY} is not there: run `make test-mesh`"

    def start(self, folder: Path) -> None:
        self._folder = folder
        self._resources.mkdir(parents=True)
        known = folder / "home/data/envoy-versions" / ENVOY_VERSION / "bin/envoy"
        known.parent.mkdir(parents=True)
        # Two that know of hot restarts, whoever started them, would take each other's sockets.
        known.write_text(f'#!/bin/sh\nexec "{ENVOY}" --disable-hot-restart "$@"\n')
        known.chmod(0o700)
        file = folder / "envoy-gateway.yaml"
        file.write_text(yaml.safe_dump(self._settings()))
        certificates = [str(BINARY), "certgen", "--local"]
        subprocess.run(
            [*certificates, "--config-home", str(folder / "home/config")],
            check=True,
            capture_output=True,
        )
        self._write("class", _OUR_CLASS)
        self._process = Process(str(BINARY), "server", "--config-path", str(file))
        eventually(lambda: bool(_read(READY)), "Envoy Gateway is ready", lambda: self.output)

    @property
    def _resources(self) -> Path:
        return self._folder / "resources"

    def _settings(self) -> dict[str, Any]:
        home = self._folder / "home"
        host = {
            "configHome": str(home / "config"),
            "dataHome": str(home / "data"),
            "stateHome": str(home / "state"),
            "runtimeDir": str(home / "runtime"),
        }
        return {
            "apiVersion": f"{ENVOY_GATEWAY}/v1alpha1",
            "kind": "EnvoyGateway",
            "gateway": {"controllerName": f"{ENVOY_GATEWAY}/gatewayclass-controller"},
            "provider": {
                "type": "Custom",
                "custom": {
                    "resource": {"type": "File", "file": {"paths": [str(self._resources)]}},
                    "infrastructure": {"type": "Host", "host": host},
                },
            },
            "extensionApis": {
                "enableBackend": True,
                # The harness has one of its own in any case: see `_on_loopback`.
                "enableEnvoyPatchPolicy": True,
            },
        }

    def apply(self, manifests: Iterable[Manifest]) -> None:
        """Hand over all manifests, and wait until every Envoy has what they ask for."""
        listeners = self.hand_over(manifests)
        # Without a Gateway there is no Envoy. What changes an object takes nothing away from it, in
        # this mode: the next one must begin without any.
        arrived = (
            (lambda: self._has(listeners)) if listeners else (lambda: not self.envoy("/ready"))
        )
        eventually(arrived, "the new routes", lambda: self.output)

    def hand_over(self, manifests: Iterable[Manifest]) -> int:
        """Hand over all manifests; return how many listeners they have."""
        ours = [_on_the_host(each) for each in manifests if each["kind"] != "GatewayClass"]
        if not self.patches:
            ours = [each for each in ours if each["kind"] != "EnvoyPatchPolicy"]
        gateways = [each for each in ours if each["kind"] == "Gateway"]
        self._applied += 1
        marks = [_mark(each, self._applied) for each in gateways]
        self._write("resources", [*ours, *map(_on_loopback, gateways), *marks, *self.others])
        return sum(len(each["spec"]["listeners"]) for each in gateways)

    def _has(self, listeners: int) -> bool:
        routes = self.envoy("/config_dump?resource=dynamic_route_configs")
        warming = self.envoy("/stats?filter=cluster_manager.warming_clusters")
        marked = routes.count(f'"host_redirect": "mark-{self._applied}"')
        return marked == listeners and all(line.endswith(": 0") for line in warming.splitlines())

    def _write(self, name: str, manifests: Iterable[Manifest]) -> None:
        # Files of that kind of name are not read: a file is whole, or not there.
        new = self._resources / f".{name}"
        new.write_text(yaml.safe_dump_all(manifests))
        new.replace(self._resources / f"{name}.yaml")

    @property
    def refusals(self) -> list[str]:
        """What Envoy Gateway has said last of each object that it cannot use as it is."""
        last = {
            (each["kind"], each["name"]): each["status"] for each in _STATUS.finditer(self.output)
        }
        return [
            f"{kind} {name}: {condition['reason']}: {condition['message']}"
            for (kind, name), status in last.items()
            for condition in _conditions(yaml.safe_load(status))
            if condition["status"] == "False" and condition["reason"] not in _EXPECTED
        ]

    def envoy(self, path: str) -> str:
        """Return what the admins of all Envoys say: there is one for each Gateway."""
        return "".join(
            _read(f"http://{file.read_text().strip()}{path}")
            for file in self._folder.glob("home/runtime/*/admin-address.txt")
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    @property
    def output(self) -> str:
        return self._process.output if self._process is not None else ""


def _read(url: str) -> str:
    """Return what is said there, and "" where nobody is."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def _mark(gateway: Manifest, number: int) -> Manifest:
    """Return a route by which it shows in Envoy that it has what came with it."""
    about = gateway["metadata"]
    redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": f"mark-{number}"}}
    match = {"path": {"type": "Exact", "value": "/harness-mark"}}
    return {
        "apiVersion": f"{GATEWAY_API}/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": f"mark-{about['name']}", "namespace": about["namespace"]},
        "spec": {
            "parentRefs": [{"name": about["name"]}],
            "rules": [{"matches": [match], "filters": [redirect]}],
        },
    }


_EXPECTED: Final = ("AddressNotAssigned",)
"""Nobody gives a Gateway an address here."""


def _conditions(status: Any) -> Iterator[dict[str, str]]:
    if isinstance(status, dict):
        yield from status.get("conditions", ())
        for each in status.values():
            yield from _conditions(each)
    elif isinstance(status, list):
        for each in status:
            yield from _conditions(each)


def _on_the_host(manifest: Manifest) -> Manifest:
    """Return an EnvoyProxy as one that runs on this machine; another object as it is."""
    if manifest["kind"] != "EnvoyProxy":
        return manifest
    return {**manifest, "spec": {**manifest["spec"], "provider": _ON_THE_HOST}}


def _on_loopback(gateway: Manifest) -> Manifest:
    """Return what makes the listeners of a Gateway listen on loopback, and on nothing else."""
    about = gateway["metadata"]
    operation = {"op": "replace", "path": "/address/socket_address/address", "value": "127.0.0.1"}
    patches = [
        {
            "type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": f"{about['namespace']}/{about['name']}/{listener['name']}",
            "operation": operation,
        }
        for listener in gateway["spec"]["listeners"]
    ]
    return {
        "apiVersion": f"{ENVOY_GATEWAY}/v1alpha1",
        "kind": "EnvoyPatchPolicy",
        "metadata": {"name": f"loopback-{about['name']}", "namespace": about["namespace"]},
        "spec": {
            "targetRef": {"group": GATEWAY_API, "kind": "Gateway", "name": about["name"]},
            "type": "JSONPatch",
            "jsonPatches": patches,
        },
    }


def secret(name: str, data: Mapping[str, str], namespace: str = "default") -> Manifest:
    """Return a Secret."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "kubernetes.io/tls" if "tls.crt" in data else "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def config_map(name: str, data: Mapping[str, str], namespace: str = "default") -> Manifest:
    """Return a ConfigMap."""
    about = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": dict(data)}


def referred(manifests: Iterable[Manifest]) -> set[tuple[str, str]]:
    """Return kind and name of the Secrets and ConfigMaps that manifests refer to."""

    def walk(value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict):
            if value.get("kind") in {"Secret", "ConfigMap"} and "name" in value:
                yield value["kind"], value["name"]
            yield from (found for each in value.values() for found in walk(each))
        elif isinstance(value, list):
            yield from (found for each in value for found in walk(each))

    return set(walk([dict(each) for each in manifests]))
