"""Where the gateway finds the processor, and how it speaks to it."""

from __future__ import annotations

from typing import Any, Final

from extproc.address import Address, PipeAddress, is_ip
from extproc.address import parse as parse_address
from extproc.config.model.agents import SERVICE_DOMAIN
from extproc.config.model.deploy import Deploy, ProcessorTls
from extproc.envoyconf.upstreams import UpstreamCluster
from extproc.manifests.istio.place import Place
from extproc.manifests.istio.services import Service, service_of
from extproc.manifests.source import Document
from extproc.origin import Origin

_PORT: Final = 9001
"""Of the Service that the target `kubernetes` renders."""


def addresses(deploy: Deploy) -> tuple[Address, ...]:
    """Return the addresses of the workers; none where they are behind the Service."""
    return tuple(map(parse_address, deploy.processor.addresses))


def cluster_of(deploy: Deploy) -> UpstreamCluster | None:
    """Return the workers as a cluster; None where they are sockets in the gateway's own pod."""
    known = addresses(deploy)
    if any(isinstance(each, PipeAddress) for each in known):
        return None
    host = f"{deploy.name}.{deploy.namespace}.{SERVICE_DOMAIN}"
    origins = tuple(
        Origin("http", each.host, each.port) for each in known if not isinstance(each, PipeAddress)
    )
    return UpstreamCluster(
        "processor", (origins or (Origin("http", host, _PORT),),), None, http2=True
    )


def rule(cluster: UpstreamCluster, tls: ProcessorTls, place: Place) -> Document:
    """Return the rule by which gateways check the processor's certificate."""
    service = service_of(cluster, place)
    spec = {
        "host": service.host,
        "exportTo": place.ingress.export_to,
        "trafficPolicy": {"tls": _tls(tls, service)},
    }
    name = place.named_abroad("processor")
    return place.document("DestinationRule", name, spec, place.ingress.namespace)


def _tls(tls: ProcessorTls, service: Service) -> dict[str, Any]:
    is_name = not is_ip(tls.san) and "/" not in tls.san
    checked = {"sni": tls.san if is_name else service.host, "subjectAltNames": [tls.san]}
    if tls.client_secret is not None:
        return {"mode": "MUTUAL", "credentialName": tls.client_secret, **checked}
    if tls.secret is not None:
        return {"mode": "SIMPLE", "credentialName": tls.secret, **checked}
    files = {} if tls.ca is None else {"caCertificates": tls.ca}
    if tls.certificate is None or tls.key is None:
        return {"mode": "SIMPLE", **checked, **files}
    mutual = {"clientCertificate": tls.certificate, "privateKey": tls.key}
    return {"mode": "MUTUAL", **checked, **files, **mutual}
