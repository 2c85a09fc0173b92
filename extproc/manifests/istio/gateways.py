"""Where clients come in: a port of the mesh's gateway, or a Service that their sidecars know."""

from __future__ import annotations

from typing import Any

from extproc.config.model.agents import SERVICE_DOMAIN
from extproc.envoyconf.topology import AgentListener
from extproc.manifests.istio.place import Place, Workload
from extproc.manifests.source import Document, Unrenderable


def entrance(listener: AgentListener, place: Place) -> Document:
    """Return what a listener is in the mesh: one port, for it alone."""
    name, port = name_of(listener, place), port_of(listener)
    if place.ingress.is_sidecar:
        # Without pods of its own: each sidecar sends its requests on to agents.
        ports = [{"name": "http", "port": port, "protocol": "TCP"}]
        return place.document("Service", name, {"ports": ports})
    if listener.tls is None:
        return gateway(name, port, place.ingress, place)
    mode = "SIMPLE" if listener.tls.client_ca is None else "MUTUAL"
    return gateway(name, port, place.ingress, place, tls_mode=mode)


def port_of(listener: AgentListener) -> int:
    """Return the port of a listener. Raises `Unrenderable` where it is any."""
    if not listener.address.port:
        raise Unrenderable(f"listeners[{listener.name}].port: 0 is any free one: name the port")
    return listener.address.port


def name_of(listener: AgentListener, place: Place) -> str:
    """Return the name of a listener's entrance, its routes and its Secret."""
    return place.named("listener", listener.name)


def host_of(listener: AgentListener, place: Place) -> str:
    """Return the host whose requests are the listener's: any, where it has a port of its own."""
    if not place.ingress.is_sidecar:
        return "*"
    return f"{name_of(listener, place)}.{place.namespace}.{SERVICE_DOMAIN}"


def gateway(
    name: str, port: int, workload: Workload, place: Place, *, tls_mode: str | None = None
) -> Document:
    """Return a Gateway with one port; with TLS its certificate is the Secret of its name."""
    kind = "HTTP" if tls_mode is None else "HTTPS"
    server: dict[str, Any] = {
        "port": {"number": port, "name": f"{kind.lower()}-{port}", "protocol": kind},
        "hosts": ["*"],
    }
    if tls_mode is not None:
        server["tls"] = {
            "mode": tls_mode,
            "credentialName": name,
            "minProtocolVersion": "TLSV1_2",
        }
    return place.document("Gateway", name, {"selector": workload.labels, "servers": [server]})
