"""Where requests go: Backends with their TLS, or Services that are there already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from extproc.address import Address, PipeAddress, is_ip
from extproc.config.model.agents import UpstreamTls
from extproc.envoyconf.upstreams import UpstreamCluster
from extproc.manifests.envoy_gateway.objects import GATEWAY_API, Place, refer
from extproc.manifests.source import Document, Unrenderable
from extproc.origin import Origin

_HOST: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
H2C: Final = "gateway.envoyproxy.io/h2c"


@dataclass(frozen=True, slots=True)
class Upstream:
    """References to the hosts of one cluster, and the objects that they refer to."""

    references: tuple[dict[str, Any], ...]
    documents: tuple[Document, ...] = ()


def upstream(
    cluster: UpstreamCluster, place: Place, *parts: str, tls: UpstreamTls, failover: bool = True
) -> Upstream:
    """Return the Backends of a cluster, called by `parts`: a kind, and whose it is.

    Hosts that are looked up, or checked, in different ways need one each. Without `failover` the
    first group is all. Raises `Unrenderable` for a host that no Backend can name.
    """
    references: list[dict[str, Any]] = []
    documents: list[Document] = []
    kind, *rest = parts
    for priority, group in enumerate(cluster.groups if failover else cluster.groups[:1]):
        for number, hosts in enumerate(_alike(group, tls=cluster.tls is not None)):
            called = "failover" if priority else kind
            name = place.named(f"{called}{number + 1}" if number else called, *rest)
            spec: dict[str, Any] = {"endpoints": [_endpoint(each) for each in hosts]}
            if cluster.http2 and cluster.tls is None:
                spec["appProtocols"] = [H2C]
            if priority:
                spec["fallback"] = True
            if cluster.tls is not None:
                spec |= _client_certificate(rest[0], tls, place)
                documents.append(
                    _checked(name, hosts[0].host, authority(rest[0], tls, place), place)
                )
            documents.append(place.document("Backend", name, spec))
            references.append({**refer("Backend", name), "weight": len(hosts)})
    return Upstream(tuple(references), tuple(documents))


def service(called: str, place: Place) -> Upstream:
    """Return the Service `name.namespace:port`, and leave to refer to it from another namespace."""
    host, _, port = called.partition(":")
    name, _, namespace = host.partition(".")
    reference = {**refer("Service", name), "namespace": namespace, "port": int(port), "weight": 1}
    if namespace == place.namespace:
        return Upstream((reference,))
    source = {"group": GATEWAY_API, "kind": "HTTPRoute", "namespace": place.namespace}
    grant = place.document(
        "ReferenceGrant",
        place.named("service", name),
        {"from": [source], "to": [refer("Service", name)]},
        namespace=namespace,
    )
    return Upstream((reference,), (grant,))


def addresses(found: Iterable[Address]) -> list[dict[str, Any]]:
    """Return the endpoints of a Backend. Raises `Unrenderable`."""
    return [
        {"unix": {"path": each.path}}
        if isinstance(each, PipeAddress)
        else _endpoint(Origin("http", each.host, each.port))
        for each in found
    ]


def authority(owner: str, tls: UpstreamTls, place: Place) -> str | None:
    """Return the ConfigMap with the CA that an agent is checked against, None for the system's."""
    return place.named("ca", owner) if tls.ca is not None else None


def client_secret(owner: str, tls: UpstreamTls, place: Place) -> str | None:
    """Return the Secret with the certificate that an agent wants to see."""
    return place.named("client", owner) if tls.certificate is not None else None


def hostname(host: str) -> str:
    """Return a host as objects may name it. Raises `Unrenderable`."""
    lowered = host.lower().rstrip(".")
    if _HOST.fullmatch(lowered) is None:
        raise Unrenderable(f"{host}: no host name as Kubernetes has them, in letters, digits, `-`")
    return lowered


def _alike(group: tuple[Origin, ...], *, tls: bool) -> Iterator[list[Origin]]:
    """Yield the hosts of a group that one Backend can have."""

    def kind(origin: Origin) -> tuple[bool, str]:
        return not is_ip(origin.address.host), origin.host if tls else ""

    for _, hosts in groupby(sorted(group, key=kind), key=kind):
        yield list(hosts)


def _endpoint(origin: Origin) -> dict[str, Any]:
    address = origin.address
    if not is_ip(address.host):
        return {"fqdn": {"hostname": hostname(address.host), "port": address.port}}
    return {"ip": {"address": address.host, "port": address.port}}


def _checked(name: str, host: str, bundle: str | None, place: Place) -> Document:
    if is_ip(host):
        raise Unrenderable(
            f"https://{host}: Envoy Gateway checks a certificate for a name, and this is an address"
        )
    trusted: dict[str, Any] = {"wellKnownCACertificates": "System"}
    if bundle is not None:
        trusted = {"caCertificateRefs": [refer("ConfigMap", bundle)]}
    spec = {
        "targetRefs": [refer("Backend", name)],
        "validation": {"hostname": hostname(host), **trusted},
    }
    return place.document("BackendTLSPolicy", name, spec)


def _client_certificate(owner: str, tls: UpstreamTls, place: Place) -> dict[str, Any]:
    secret = client_secret(owner, tls, place)
    # What the server is checked against stands in the policy.
    return {} if secret is None else {"tls": {"clientCertificateRef": refer("Secret", secret)}}
