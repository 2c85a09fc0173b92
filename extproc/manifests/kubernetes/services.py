"""How the pods are found."""

from __future__ import annotations

from typing import Any

from extproc.config.model.deploy import Deploy
from extproc.manifests.kubernetes.place import (
    HEADLESS,
    PROCESSOR,
    PROCESSOR_PORT,
    document,
    metadata,
    named,
    selector,
)


def services(deploy: Deploy) -> tuple[dict[str, Any], ...]:
    """Return two Services of the same pods, as a stream must be able to go to each of them.

    Envoy Gateway and Istio read the addresses of the pods behind the first one; a sidecar of Istio
    cannot call by the second. An Envoy with no control plane asks DNS: of the first one it would
    get a single address, and keep its connection to whatever pod that leads to; the second one
    gives it an endpoint for each pod.
    """
    return (
        _service(deploy, deploy.name, {}),
        _service(deploy, named(deploy, HEADLESS), {"clusterIP": "None"}),
    )


def _service(deploy: Deploy, name: str, address: dict[str, str]) -> dict[str, Any]:
    port = {"name": PROCESSOR, "port": PROCESSOR_PORT, "targetPort": PROCESSOR, "protocol": "TCP"}
    # Kubernetes has no word for HTTP/2 within TLS: the port's name says gRPC.
    if deploy.processor.tls is None:
        port["appProtocol"] = "kubernetes.io/h2c"
    return document(
        "v1",
        "Service",
        metadata(deploy, name),
        spec={**address, "selector": selector(deploy), "ports": [port]},
    )
