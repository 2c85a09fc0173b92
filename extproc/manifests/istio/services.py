"""What routes lead to, as the mesh knows it: Kubernetes Services, and entries for all else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from extproc.config.model.agents import SERVICE_DOMAIN
from extproc.envoyconf.upstreams import UpstreamCluster
from extproc.manifests.istio.place import Place
from extproc.manifests.source import Document, Unrenderable
from extproc.origin import Origin

_KUBERNETES: Final = re.compile(rf"([^.]+\.[^.]+)\.{SERVICE_DOMAIN.partition('.')[0]}(\..*)?")
_NAMED: Final = re.compile(
    r"outbound\|(?P<port>[0-9]{1,5})\|(?P<subset>[^|]*)\|(?P<host>[A-Za-z0-9.-]+)"
)
_PORT: Final = 80
"""Of every entry, whatever its hosts listen on."""
GROUP: Final = "outerloop/group"
"""Label of an entry's hosts that says which of them are used first."""
FIRST: Final = "first"


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the mesh; `subset` is one of its DestinationRule."""

    host: str
    port: int
    subset: str = ""

    @property
    def cluster(self) -> str:
        """The name of its cluster in Envoys that Istio runs."""
        return f"outbound|{self.port}|{self.subset}|{self.host}"

    @property
    def destination(self) -> dict[str, Any]:
        """What a VirtualService calls it."""
        subset = {"subset": self.subset} if self.subset else {}
        return {"host": self.host, "port": {"number": self.port}, **subset}


def named(cluster: str, agent: str) -> Service:
    """Return the service whose cluster `agent` names. Raises `Unrenderable`."""
    match = _NAMED.fullmatch(cluster)
    if match is None:
        raise Unrenderable(
            f"agents[{agent}].cluster: routes of Istio lead to services: write "
            "outbound|PORT|SUBSET|HOST, as Istio calls its clusters, or use `service`"
        )
    return Service(match["host"], int(match["port"]), match["subset"])


def service_of(cluster: UpstreamCluster, place: Place) -> Service:
    """Return the service that has the hosts of a cluster."""
    if is_kubernetes(cluster):
        origin = cluster.hosts[0]
        return Service(_spelled_out(origin.host), origin.port)
    return Service(place.host(object_of(cluster, place)), _PORT)


def by_service(
    clusters: Iterable[UpstreamCluster], place: Place
) -> Iterator[tuple[Service, UpstreamCluster]]:
    """Yield each service with the first of the clusters that are its own.

    Raises `Unrenderable` where another one would send other keys there.
    """
    found: dict[Service, UpstreamCluster] = {}
    for each in clusters:
        first = found.setdefault(service_of(each, place), each)
        if first is not each and (first.has_key or first.headers or each.has_key or each.headers):
            raise Unrenderable(
                f"agents[{each.agent}]: has the Service of agents[{first.agent}], and Istio sends "
                "the same keys to both: give one of them a Service of its own"
            )
    yield from found.items()


def is_kubernetes(cluster: UpstreamCluster) -> bool:
    """Tell whether the hosts are those of one Kubernetes Service, which Istio knows itself."""
    return (
        len(cluster.hosts) == 1
        and cluster.tls is None
        and _KUBERNETES.fullmatch(cluster.hosts[0].host) is not None
    )


def _spelled_out(host: str) -> str:
    match = _KUBERNETES.fullmatch(host)
    return host if match is None or match[2] else f"{match[1]}.{SERVICE_DOMAIN}"


def object_of(cluster: UpstreamCluster, place: Place) -> str:
    """Return the name of the objects that stand for a cluster."""
    return place.named(*kind_of(cluster))


def kind_of(cluster: UpstreamCluster) -> tuple[str, ...]:
    """Return what a cluster is for, and whose; the first part says how many follow."""
    kind, *parts = cluster.name.split("/")
    return ("variant" if cluster.variant else kind, *parts)


def entry(cluster: UpstreamCluster, place: Place) -> Document:
    """Return the ServiceEntry that makes the hosts of a cluster a service."""
    literal = cluster.literal
    spec = {
        "hosts": [service_of(cluster, place).host],
        "location": "MESH_EXTERNAL",
        "resolution": "STATIC" if literal else "DNS",
        "ports": [
            {
                "number": _PORT,
                "name": "http",
                # TLS begins behind the routes.
                "protocol": "HTTP2" if cluster.http2 else "HTTP",
            }
        ],
        "endpoints": [
            _endpoint(host, first=group == 0)
            for group, hosts in enumerate(cluster.groups)
            for host in hosts
        ],
    }
    return place.document("ServiceEntry", object_of(cluster, place), spec)


def _endpoint(origin: Origin, *, first: bool) -> dict[str, Any]:
    address = origin.address
    labels = {GROUP: FIRST if first else "failover"}
    return {"address": address.host, "ports": {"http": address.port}, "labels": labels}
