"""Where the mesh has its gateways and we our objects, and what those are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from extproc.config.model.deploy import Deploy
from extproc.manifests.naming import object_name
from extproc.manifests.source import Document

_VERSIONS: Final[Mapping[str, str]] = {
    "Service": "v1",
    "Gateway": "networking.istio.io/v1",
    "VirtualService": "networking.istio.io/v1",
    "ServiceEntry": "networking.istio.io/v1",
    "DestinationRule": "networking.istio.io/v1",
    "EnvoyFilter": "networking.istio.io/v1alpha3",
}
_ROOT: Final = "istio-system"
"""Where Istio's own installation has its gateways: an EnvoyFilter there counts for all others."""
_INGRESS: Final = "ingressgateway"
_EGRESS: Final = "egressgateway"
_MESH: Final = "mesh"
"""Istio's own word for all sidecars."""

DOMAIN: Final = "outerloop.internal"
"""What the names of agents end in that are in no Kubernetes Service."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Pods whose Envoys decide: those of a gateway, by its label `istio`, or all with a sidecar."""

    namespace: str
    label: str

    @property
    def is_sidecar(self) -> bool:
        """True where the sidecars of clients decide."""
        return self.label == _MESH

    @property
    def context(self) -> str:
        """What an EnvoyFilter calls them."""
        return "SIDECAR_OUTBOUND" if self.is_sidecar else "GATEWAY"

    @property
    def labels(self) -> dict[str, str]:
        """What selects the pods of a gateway."""
        return {"istio": self.label}

    @property
    def export_to(self) -> list[str]:
        """Where a DestinationRule in the namespace of the pods must be seen."""
        return ["*"] if self.is_sidecar and self.namespace == _ROOT else ["."]


@dataclass(frozen=True, slots=True)
class Place:
    """Our name and namespace, what clients talk to, and the gateway for our own calls."""

    name: str
    namespace: str
    ingress: Workload
    egress: Workload

    @classmethod
    def of(cls, deploy: Deploy) -> Place:
        """Return the place that the configuration names.

        `deploy.gateway_class` is the value of the gateway's label `istio`, behind its namespace and
        a slash where that is not Istio's own; `mesh` stands for the sidecars of a namespace, or of
        the whole mesh.
        """
        namespace, _, label = (deploy.gateway_class or _INGRESS).rpartition("/")
        ingress = Workload(namespace or _ROOT, label)
        # Where clients are no gateway need be.
        egress = Workload(_ROOT if ingress.is_sidecar else ingress.namespace, _EGRESS)
        return cls(deploy.name, deploy.namespace, ingress, egress)

    def named(self, *parts: str) -> str:
        """Return the name of an object that is not the only one of its kind."""
        return object_name(self.name, *parts)

    def named_abroad(self, kind: str, *parts: str) -> str:
        """Return the name of an object in the namespace of a gateway, where others are too."""
        return object_name(self.name, kind, self.namespace, *parts)

    def host(self, name: str) -> str:
        """Return the host name by which the mesh knows an object's service."""
        return f"{name}.{self.namespace}.{DOMAIN}"

    def document(
        self, kind: str, name: str, spec: Mapping[str, Any], namespace: str | None = None
    ) -> Document:
        """Put an object together, in our namespace unless another one is named."""
        labels = {
            "app.kubernetes.io/name": "outerloop",
            "app.kubernetes.io/instance": self.name,
            "app.kubernetes.io/component": "gateway",
        }
        return {
            "apiVersion": _VERSIONS[kind],
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": namespace or self.namespace,
                "labels": labels,
            },
            "spec": spec,
        }


def duration(value: timedelta) -> str:
    """Write a duration as JSON of protobuf has it, in seconds: `300s`, `0.25s`."""
    return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"
