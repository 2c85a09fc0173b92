"""The Gateway, and how it speaks with clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final, Literal

from extproc import names
from extproc.config.model.listeners import ListenerTls
from extproc.config.model.root import Limits
from extproc.envoyconf.topology import AgentListener
from extproc.manifests.envoy_gateway.objects import GATEWAY_API, Place, duration, refer, section
from extproc.manifests.envoy_gateway.patterns import all_but
from extproc.manifests.source import Document, Unrenderable
from extproc.plan import LONGEST_WAIT

DEFAULT_CLASS: Final = "eg"
_CONTROLLER: Final = "gateway.envoyproxy.io/gatewayclass-controller"
_CONNECTION_IDLE: Final = timedelta(minutes=5)
_SLACK: Final = timedelta(minutes=1)

ResponseHeaders = Literal["none", "basic", "full"]

_BASIC: Final = (
    names.HEADER_AGENT,
    names.HEADER_PLAN,
    names.HEADER_SOURCE,
    names.HEADER_REQUEST_ID,
)
_FULL: Final = (*_BASIC, names.HEADER_CONFIDENCE, names.HEADER_STEP)
_FROM_METADATA: Final = {
    names.HEADER_CACHED: names.METADATA_CACHED,
    names.HEADER_DECISION_MS: names.METADATA_DECISION_MS,
}


def gateway_class(place: Place) -> Document:
    """Return the class of Envoy Gateway, which its installation leaves to others."""
    return place.document("GatewayClass", DEFAULT_CLASS, {"controllerName": _CONTROLLER})


def gateway(
    gateway_class: str,
    listeners: Iterable[AgentListener],
    place: Place,
    client_secret: str | None,
) -> Document:
    """Return the Gateway. Raises `Unrenderable` for a port that is not known."""
    spec: dict[str, Any] = {
        "gatewayClassName": gateway_class,
        "listeners": [_listener(each, place) for each in listeners],
    }
    if client_secret is not None:
        spec["tls"] = {"backend": {"clientCertificateRef": refer("Secret", client_secret)}}
    return place.document("Gateway", place.name, spec)


def certificate_secret(listener: str, place: Place) -> str:
    """Return the Secret of a listener's certificate and key."""
    return place.named("tls", listener)


def clients_authority(listener: str, place: Place) -> str:
    """Return the ConfigMap with the CA of clients' certificates."""
    return place.named("clientca", listener)


def _listener(listener: AgentListener, place: Place) -> dict[str, Any]:
    if not listener.address.port:
        raise Unrenderable(f"listeners[{listener.name}].port: a Gateway's listener needs a port")
    spec: dict[str, Any] = {
        "name": section(listener.name),
        "port": listener.address.port,
        "protocol": "HTTP" if listener.tls is None else "HTTPS",
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }
    if listener.tls is not None:
        secret = refer("Secret", certificate_secret(listener.name, place))
        spec["tls"] = {"mode": "Terminate", "certificateRefs": [secret]}
    return spec


def client_policy(
    listener: AgentListener, limits: Limits, told: ResponseHeaders, place: Place
) -> Document:
    """Return limits of clients, and which headers are taken from them and told them."""
    name = place.named("clients", listener.name)
    target = {"group": GATEWAY_API, "kind": "Gateway", "name": place.name}
    spec: dict[str, Any] = {
        "targetRefs": [{**target, "sectionName": section(listener.name)}],
        "connection": {
            "bufferLimit": limits.max_request_bytes,
            "connectionLimit": {"value": limits.max_connections},
        },
        "headers": {
            "earlyRequestHeaders": {
                "set": [{"name": names.HEADER_LISTENER, "value": listener.name}],
                "removeOnMatch": list(_forged()),
            },
            "requestID": "PreserveOrGenerate",
            # Those that pass for ours are taken away; others are left alone.
            "withUnderscoresAction": "Allow",
            "lateResponseHeaders": _late(told),
        },
        "healthCheck": {"path": names.PATH_HEALTH},
        "path": {"escapedSlashesAction": "KeepUnchanged"},
        "http1": {
            "enableTrailers": True,
            # Without upgrades a request for one is an ordinary request (RFC 9110, section 7.8).
            "ignoredUpgradeTypes": [_matching(".*")],
        },
        # One bad request must not end its neighbours on the connection.
        "http2": {"onInvalidMessage": "TerminateStream"},
        "timeout": {
            "http": {
                "requestReceivedTimeout": duration(limits.request_timeout),
                "requestHeadersReceivedTimeout": duration(limits.request_headers_timeout),
                "idleTimeout": duration(_CONNECTION_IDLE),
                # While a plan runs nothing moves: an agent's route has a timeout of its own.
                "streamIdleTimeout": duration(LONGEST_WAIT + _SLACK),
            }
        },
    }
    if listener.tls is not None:
        spec["tls"] = _tls(listener.name, listener.tls, place)
    return place.document("ClientTrafficPolicy", name, spec)


def _late(told: ResponseHeaders) -> dict[str, Any]:
    """Return what clients are told, after what agents say themselves has been taken away."""
    shown = {"none": (), "basic": _BASIC, "full": _FULL}[told]
    formats = {name: f"%REQ({name})%" for name in shown}
    if told == "full":
        formats |= {
            name: f"%DYNAMIC_METADATA({names.METADATA_NAMESPACE}:{key})%"
            for name, key in _FROM_METADATA.items()
        }
    # Envoy Gateway takes away after it has set: ours must not match. Those of them that an agent
    # has sent, its route has taken away.
    forged = all_but(names.HEADER_PREFIX, names.RESPONSE_HEADERS, (names.HEADER_TAG,))
    late: dict[str, Any] = {"removeOnMatch": [_matching(forged)]}
    if formats:
        late["set"] = [{"name": name, "value": value} for name, value in formats.items()]
    return late


def _tls(listener: str, tls: ListenerTls, place: Place) -> dict[str, Any]:
    spec: dict[str, Any] = {"minVersion": "1.2", "alpnProtocols": ["h2", "http/1.1"]}
    if tls.client_ca is not None:
        authority = refer("ConfigMap", clients_authority(listener, place))
        spec["clientValidation"] = {"caCertificateRefs": [authority]}
    return spec


def _forged() -> Iterator[dict[str, str]]:
    """Yield matches of the names that only the gateway may set.

    Envoy Gateway takes away after it has set: the name of the listener is none of them, as what it
    sets has replaced what a client has sent.
    """
    yield _matching("(?i)x[-_]envoy[-_].*")
    yield _matching("(?i)x_outerloop[-_].*")
    yield _matching("(?i)x-outerloop_.*")
    yield _matching(all_but(names.HEADER_PREFIX, (names.HEADER_LISTENER,)))


def _matching(expression: str) -> dict[str, str]:
    return {"type": "RegularExpression", "value": expression}
