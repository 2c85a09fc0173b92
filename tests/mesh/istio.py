"""Istio's control plane on this machine, and Envoys that it takes for pods of its gateways.

    pilot-discovery <── objects of Kubernetes (istio_api.py), a folder with ours
          │ ADS
        Envoy <── requests

Istio is real, and so is Envoy; of Kubernetes there is as much as Istio reads. It cannot do without:
with `--registries ""` the version of `istio_install.sh` panics, whatever else it reads. What only
Istio's own build of Envoy has is switched off, and so are identities: no agent of Istio's gives any
out here.
"""

from __future__ import annotations

import copy
import os
import socket
import sys
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import yaml

from tests.e2e.conftest import Process
from tests.e2e.gateway import ENVOY
from tests.mesh.harness import Manifest, eventually

BINARY: Final = Path(
    os.environ.get("PILOT_DISCOVERY") or Path(__file__).parents[2] / ".mesh/bin/pilot-discovery"
)
NAMESPACE: Final = "istio-system"
CLUSTER: Final = "Kubernetes"
MESH: Final = "mesh"
_LOOPBACK: Final = "127.0.0.1"
_HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class Istio:
    """Istio and one Envoy for each of its gateways, called by their label `istio`.

    `mesh` is the sidecar of a client. `objects` are what Kubernetes has beside its namespaces: see
    `service`; Services among the manifests are not applied, and must be among them.
    """

    target = "istio"
    deploy: Mapping[str, Any] = {}

    def __init__(
        self,
        objects: Iterable[Manifest] = (),
        gateways: Iterable[str] = ("ingressgateway",),
    ) -> None:
        self._objects, self.gateways = list(objects), list(gateways)
        self._folder = Path()
        self._processes: list[Process] = []
        self._admins: dict[str, int] = {}

    def missing(self) -> str | None:
        return None if BINARY.exists() else f"{BINARY} is not there: run `make test-mesh`"

    def start(self, folder: Path) -> None:
        self._folder = folder
        self._resources.mkdir(parents=True)
        known = folder / "objects.yaml"
        known.write_text(yaml.safe_dump_all([*_namespaces("default", NAMESPACE), *self._objects]))
        api = self._run(sys.executable, str(Path(__file__).with_name("istio_api.py")), str(known))
        ads, http, *admins = _free_ports(2 + len(self.gateways))
        self._start_pilot(int(api.wait_line(str.isdigit)), ads, http)
        for label, admin in zip(self.gateways, admins, strict=True):
            file = folder / f"envoy-{label}.yaml"
            file.write_text(yaml.safe_dump(_bootstrap(label, ads, admin)))
            self._run(ENVOY, "-c", str(file), "--disable-hot-restart", "-l", "warning")
            self._admins[label] = admin

    def _start_pilot(self, api: int, ads: int, http: int) -> None:
        kubeconfig, mesh = self._folder / "kubeconfig.yaml", self._folder / "settings.yaml"
        kubeconfig.write_text(yaml.safe_dump(_kubeconfig(api)))
        mesh.write_text(yaml.safe_dump({"enableAutoMtls": False}))
        options = {
            "registries": CLUSTER,
            "clusterID": CLUSTER,
            "namespace": NAMESPACE,
            "kubeconfig": kubeconfig,
            "configDir": self._resources,
            "meshConfig": mesh,
            "networksConfig": self._folder / "none.yaml",
            "grpcAddr": f"{_LOOPBACK}:{ads}",
            "httpAddr": f"{_LOOPBACK}:{http}",
            "monitoringAddr": f"{_LOOPBACK}:0",
            "httpsAddr": "",
            "secureGRPCAddr": "",
            "ctrlz_port": "0",
            "log_output_level": "all:warn",
        }
        environ = {
            "XDS_AUTH": "false",
            "ENABLE_CA_SERVER": "false",
            "PILOT_ENABLE_METADATA_EXCHANGE": "false",
            "PILOT_ENABLE_ALPN_FILTER": "false",
        }
        arguments = [f"--{key}={value}" for key, value in options.items()]
        self._run(str(BINARY), "discovery", *arguments, environ=environ)
        url = f"http://{_LOOPBACK}:{http}/ready"
        eventually(lambda: _get(url) is not None, "Istio is ready", lambda: self.output)

    def _run(self, *argv: str, environ: dict[str, str] | None = None) -> Process:
        self._processes.append(Process(*argv, env=environ))
        return self._processes[-1]

    @property
    def _resources(self) -> Path:
        return self._folder / "resources"

    def apply(self, manifests: Iterable[Manifest]) -> None:
        new = self._folder / "resources.new"
        ours = [_on_loopback(each) for each in manifests if each["kind"] != "Service"]
        new.write_text(yaml.safe_dump_all(ours))
        new.replace(self._resources / "resources.yaml")

    def envoy(self, path: str, label: str | None = None) -> str:
        admin = self._admins[label or self.gateways[0]]
        return _get(f"http://{_LOOPBACK}:{admin}{path}") or ""

    def stop(self) -> None:
        for each in reversed(self._processes):
            each.stop()

    @property
    def output(self) -> str:
        return "\n".join(each.output for each in self._processes)


def service(name: str, port: int, target: int, /, **about: Any) -> Iterator[Manifest]:
    """Yield a Service of the namespace `default`, and where it leads to on this machine."""
    named = {"name": "http", "port": port, "protocol": "TCP", **about}
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"clusterIP": f"10.96.0.{port % 256}", "ports": [named]},
    }
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [_LOOPBACK], "conditions": {"ready": True}}],
        "ports": [{"name": named["name"], "port": target, "protocol": "TCP"}],
    }


def _namespaces(*names: str) -> list[Manifest]:
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": each}} for each in names]


def sidecar(port: int) -> Iterator[Manifest]:
    """Yield what has sidecars listen on one port of loopback, and on none besides.

    All others are only for what iptables would redirect: there are none of those here.
    """
    listener = {
        "port": {"number": port, "protocol": "HTTP", "name": "http"},
        "bind": _LOOPBACK,
        "captureMode": "NONE",
        "hosts": ["*/*"],
    }
    about = {"name": "loopback", "namespace": NAMESPACE}
    yield {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Sidecar",
        "metadata": about,
        "spec": {"egress": [listener, {"hosts": ["*/*"]}]},
    }
    patches = [
        {
            "applyTo": "LISTENER",
            "match": {"context": "ANY", "listener": {"name": name}},
            "patch": {"operation": "REMOVE"},
        }
        for name in ("virtualOutbound", "virtualInbound")
    ]
    yield {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": about,
        "spec": {"configPatches": patches},
    }


def _on_loopback(manifest: Manifest) -> Manifest:
    """Return a Gateway that listens on loopback, and anything else as it is."""
    if manifest["kind"] != "Gateway":
        return manifest
    bound = copy.deepcopy(dict(manifest))
    for server in bound["spec"]["servers"]:
        server["bind"] = _LOOPBACK
    return bound


def _get(url: str) -> str | None:
    with suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())
    return None


def _free_ports(count: int) -> list[int]:
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((_LOOPBACK, 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _kubeconfig(api: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": f"http://{_LOOPBACK}:{api}"}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "here", "user": "nobody"}}],
        "current-context": "test",
    }


def _bootstrap(label: str, ads: int, admin: int) -> dict[str, Any]:
    """Return what Istio's own agent would start Envoy with, as far as it matters here."""
    source = {"ads": {}, "resource_api_version": "V3"}
    http2 = {
        "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    pilot = {
        "name": "xds-grpc",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "xds-grpc",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(ads)}}]}],
        },
        "typed_extension_protocol_options": {_HTTP_OPTIONS: http2},
    }
    kind = "sidecar" if label == MESH else "router"
    return {
        "node": {
            "id": f"{kind}~{_LOOPBACK}~{label}.{NAMESPACE}~{NAMESPACE}.svc.cluster.local",
            "cluster": label,
            "metadata": {
                "ISTIO_VERSION": "1.31.0",
                "NAMESPACE": NAMESPACE,
                "CLUSTER_ID": CLUSTER,
                "LABELS": {"istio": label},
            },
        },
        "admin": {"address": _address(admin)},
        "dynamic_resources": {
            "lds_config": source,
            "cds_config": source,
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
            },
        },
        "static_resources": {"clusters": [pilot]},
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": _LOOPBACK, "port_value": port}}
