"""Objects, their names, and how they refer to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from extproc.config.model.deploy import Deploy
from extproc.manifests.naming import object_name
from extproc.manifests.source import Document

GATEWAY_API: Final = "gateway.networking.k8s.io"
ENVOY_GATEWAY: Final = "gateway.envoyproxy.io"

_VERSIONS: Final[Mapping[str, tuple[str, str]]] = {
    "GatewayClass": (GATEWAY_API, "v1"),
    "Gateway": (GATEWAY_API, "v1"),
    "HTTPRoute": (GATEWAY_API, "v1"),
    "BackendTLSPolicy": (GATEWAY_API, "v1"),
    "ReferenceGrant": (GATEWAY_API, "v1beta1"),
    "Backend": (ENVOY_GATEWAY, "v1alpha1"),
    "BackendTrafficPolicy": (ENVOY_GATEWAY, "v1alpha1"),
    "ClientTrafficPolicy": (ENVOY_GATEWAY, "v1alpha1"),
    "EnvoyExtensionPolicy": (ENVOY_GATEWAY, "v1alpha1"),
    "EnvoyPatchPolicy": (ENVOY_GATEWAY, "v1alpha1"),
    "EnvoyProxy": (ENVOY_GATEWAY, "v1alpha1"),
    "HTTPRouteFilter": (ENVOY_GATEWAY, "v1alpha1"),
}
_UNITS: Final = (("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


@dataclass(frozen=True, slots=True)
class Place:
    """Where objects go, and the name that those of all others begin with."""

    name: str
    namespace: str

    @classmethod
    def of(cls, deploy: Deploy) -> Place:
        """Return the place that the configuration names."""
        return cls(deploy.name, deploy.namespace)

    def named(self, *parts: str) -> str:
        """Return the name of an object that is not the only one of its kind."""
        return object_name(self.name, *parts)

    def document(self, kind: str, name: str, spec: Mapping[str, Any], **about: Any) -> Document:  # noqa: ANN401 - whatever metadata has
        """Put an object together; `about` goes into its metadata."""
        group, version = _VERSIONS[kind]
        labels = {
            "app.kubernetes.io/name": "outerloop",
            "app.kubernetes.io/instance": self.name,
            "app.kubernetes.io/component": "gateway",
        }
        where = {} if kind == "GatewayClass" else {"namespace": self.namespace}
        return {
            "apiVersion": f"{group}/{version}",
            "kind": kind,
            "metadata": {"name": name, **where, "labels": labels, **about},
            "spec": dict(spec),
        }


def refer(kind: str, name: str) -> dict[str, Any]:
    """Return a reference to an object of the same namespace."""
    group = _VERSIONS[kind][0] if kind in _VERSIONS else ""
    return {"group": group, "kind": kind, "name": name}


def section(listener: str) -> str:
    """Return what a listener is called within its Gateway."""
    return object_name(listener)


def duration(value: timedelta) -> str:
    """Write a duration as Kubernetes reads it (GEP-2257): `1h30m`."""
    left = round(value.total_seconds() * 1000)
    if left == 0:
        return "0s"
    written = ""
    for unit, length in _UNITS:
        amount, left = divmod(left, length)
        written += f"{amount}{unit}" if amount else ""
    return written
