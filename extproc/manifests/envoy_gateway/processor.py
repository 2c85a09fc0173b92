"""How the gateway reaches the processor: references, TLS, and how it asks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from extproc import names
from extproc.address import is_ip, parse
from extproc.config.model.deploy import Deploy, ProcessorTls
from extproc.manifests.envoy_gateway import routes
from extproc.manifests.envoy_gateway.backends import H2C, addresses, hostname
from extproc.manifests.envoy_gateway.objects import Place, refer, section
from extproc.manifests.kubernetes.place import PROCESSOR_PORT
from extproc.manifests.source import Document, Unrenderable

_NO_LIMIT: Final = 2**32 - 1
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+")
_TLS: Final = "deploy.processor.tls"


@dataclass(frozen=True, slots=True)
class Processor:
    """A reference to the processor, the objects that it needs, and the certificate it is shown."""

    reference: dict[str, Any]
    documents: tuple[Document, ...] = ()
    client_secret: str | None = None

    @property
    def of_gateway(self) -> str | None:
        """The certificate that the whole Gateway shows: a Service has no field for one."""
        return self.client_secret if self.reference["kind"] == "Service" else None


def processor(deploy: Deploy, place: Place) -> Processor:
    """Return how the processor is reached. Raises `Unrenderable` for TLS that cannot be said."""
    tls = deploy.processor.tls
    own = deploy.processor.addresses
    secret = _client_secret(tls)
    if not own:
        reference = {**refer("Service", deploy.name), "port": PROCESSOR_PORT}
        checked = (_checked("Service", deploy.name, tls, place),) if tls is not None else ()
        return Processor(reference, checked, secret)
    name = place.named("processor")
    spec: dict[str, Any] = {"endpoints": addresses(map(parse, own))}
    if tls is None:
        spec["appProtocols"] = [H2C]
        return Processor(refer("Backend", name), (place.document("Backend", name, spec),))
    if secret is not None:
        spec["tls"] = {"clientCertificateRef": refer("Secret", secret)}
    backend = place.document("Backend", name, spec)
    return Processor(
        refer("Backend", name), (_checked("Backend", name, tls, place), backend), secret
    )


def certificate_route(found: Processor, listener: str, place: Place) -> Iterator[Document]:
    """Yield a route that nobody takes, by which Envoy gets the certificate for the processor.

    Envoy Gateway hands out certificates of routes alone, and none of policies:
    https://github.com/envoyproxy/gateway/issues/9726
    """
    if found.client_secret is None:
        return
    # No agent is called so, and no client can say that one is.
    nobody = routes.below("/", routes.header_is(names.HEADER_AGENT, "/"))
    rule = {"matches": [nobody], "backendRefs": [found.reference]}
    parent = routes.listener_of(place.name, section(listener))
    yield routes.http_route(place.named("certificate"), parent, [rule], place)


def settings(max_request_bytes: int) -> dict[str, Any]:
    """Return how the processor's hosts are watched, and when another one is asked."""
    return {
        # Whole requests are sent: the default of Envoy Gateway is 32 KiB.
        "connection": {"bufferLimit": max_request_bytes},
        "circuitBreaker": {
            "maxConnections": _NO_LIMIT,
            "maxPendingRequests": _NO_LIMIT,
            "maxParallelRequests": _NO_LIMIT,
            "maxParallelRetries": _NO_LIMIT,
        },
        "healthCheck": {
            "active": {
                "type": "GRPC",
                "grpc": {"service": names.PROCESSOR_SERVICE},
                "interval": "1s",
                "timeout": "1s",
                "unhealthyThreshold": 1,
                "healthyThreshold": 1,
            },
            # Until a first connection Envoy looks only once a minute: when none seems healthy,
            # it must try them all.
            "panicThreshold": 1,
        },
        "retry": {
            "numRetries": 3,
            "retryOn": {
                "triggers": [
                    "connect-failure",
                    "refused-stream",
                    "reset",
                    "unavailable",
                    "reset-before-request",
                ]
            },
            "perRetry": {"backOff": {"baseInterval": "20ms", "maxInterval": "100ms"}},
        },
    }


def _client_secret(tls: ProcessorTls | None) -> str | None:
    if tls is None:
        return None
    if tls.certificate is not None and tls.client_secret is None:
        raise Unrenderable(f"{_TLS}.client_secret: is missing: here certificates are in Secrets")
    return tls.client_secret


def _checked(kind: str, name: str, tls: ProcessorTls, place: Place) -> Document:
    if tls.secret is None:
        raise Unrenderable(f"{_TLS}.secret: is missing: its `ca.crt` is what is checked against")
    validation: dict[str, Any] = {"caCertificateRefs": [refer("Secret", tls.secret)]}
    if _URI.fullmatch(tls.san) is not None:
        validation["hostname"] = f"{place.name}.{place.namespace}.svc"
        validation["subjectAltNames"] = [{"type": "URI", "uri": tls.san}]
    elif is_ip(tls.san):
        raise Unrenderable(f"{_TLS}.san: Envoy Gateway checks names and URIs, and no addresses")
    else:
        validation["hostname"] = hostname(tls.san)
    spec = {"targetRefs": [refer(kind, name)], "validation": validation}
    return place.document("BackendTLSPolicy", place.named("processor"), spec)
