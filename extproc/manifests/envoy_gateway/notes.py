"""What Envoy Gateway cannot express, and what is the user's to add: by the keys of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from extproc.config.model.agents import Agent
from extproc.config.model.listeners import Listener
from extproc.config.model.root import Config
from extproc.manifests.envoy_gateway.agents import Reachable
from extproc.manifests.envoy_gateway.backends import authority, client_secret
from extproc.manifests.envoy_gateway.gateway import certificate_secret, clients_authority
from extproc.manifests.envoy_gateway.objects import Place
from extproc.manifests.envoy_gateway.observing import label
from extproc.manifests.envoy_gateway.traffic import TRIGGERS
from extproc.origin import parse_origin

_HASHED: Final = ("ring_hash", "maglev")
_SWITCHES: Final = (
    "Envoy Gateway's own configuration needs `extensionApis: {enableBackend: true}`, and "
    "`enableEnvoyPatchPolicy: true` for the EnvoyPatchPolicies, which each say what they are for"
)
_ERRORS: Final = (
    "errors of Envoy's own, but for 413 and a processor that fails, have Envoy's bodies"
)


def notes(config: Config, agents: Mapping[str, Reachable], place: Place) -> Iterator[str]:
    """Yield a line for each thing that is not as under `outerloop up`, or not there yet."""
    yield _SWITCHES
    yield _ERRORS
    for listener in config.listeners:
        for note in _of_listener(listener, place):
            yield f"listeners[{listener.name}].{note}"
    for agent in config.agents:
        way = agents.get(agent.id)
        # Nothing leads to one of a listener that only observes.
        for note in (*_secrets(way, place), *_of_agent(way)) if way is not None else ():
            yield f"agents[{agent.id}].{note}"
    yield from _of_all(config)


def _of_listener(listener: Listener, place: Place) -> Iterator[str]:
    if listener.mode == "observe":
        marked = "=".join(label(listener.name, place))
        yield (
            f"mode: mark what is to be watched: kubectl label httproute NAME -n {place.namespace} "
            f"{marked}; one with a BackendTrafficPolicy of its own needs `requestBuffer` there, or "
            "bodies over 32 KiB are refused"
        )
        return
    if listener.tls is not None:
        secret = _create("secret tls", certificate_secret(listener.name, place), place)
        yield f"tls: {secret} --cert={listener.tls.certificate} --key={listener.tls.key}"
        if listener.tls.client_ca is not None:
            bundle = _create("configmap", clients_authority(listener.name, place), place)
            yield f"tls.client_ca: {bundle} --from-file=ca.crt={listener.tls.client_ca}"
    filtered = [each.id for each in listener.agents if each.output_filters]
    if 0 < len(filtered) < len(listener.agents) and not listener.output_filters:
        yield (
            f"agents: the answers of all agents pass the processor, as those of {filtered[0]} have "
            "`output_filters`"
        )


def _secrets(way: Reachable, place: Place) -> Iterator[str]:
    agent = way.agent
    key = "access_key" if agent.access_key is not None else "headers"
    for each in way.injections:
        secret = _create("secret generic", each.secret, place)
        yield f"{key}: {secret} --from-literal=credential=... ({each.what})"
    bundle = authority(agent.id, agent.tls, place)
    if bundle is not None:
        created = _create("configmap", bundle, place)
        yield f"tls.ca: {created} --from-file=ca.crt={agent.tls.ca}"
    secret_name = client_secret(agent.id, agent.tls, place)
    if secret_name is not None:
        files = f"--cert={agent.tls.certificate} --key={agent.tls.key}"
        yield f"tls.certificate: {_create('secret tls', secret_name, place)} {files}"


def _create(kind: str, name: str, place: Place) -> str:
    return f"create it: kubectl create {kind} {name} -n {place.namespace}"


def _of_agent(way: Reachable) -> Iterator[str]:
    agent = way.agent
    if agent.fallback is not None:
        yield "fallback: left out; it needs the Envoy of `outerloop up`"
    if any(each.failover for each in agent.variants or ()):
        yield "variants[].failover: left out; Envoy Gateway has a fallback or weights, not both"
    elif agent.failover and not way.failover:
        yield "failover: left out; Envoy Gateway has a fallback or a header from a Secret, not both"
    unknown = [each for each in agent.retries.retry_on if isinstance(each, str)]
    unknown = [each for each in unknown if each not in TRIGGERS]
    if unknown:
        yield f"retries.retry_on: {', '.join(unknown)} is left out"
    if agent.session_affinity is None and agent.load_balancing in _HASHED:
        yield f"load_balancing: {agent.load_balancing} without `session_affinity` is `random`"
    elif agent.session_affinity is not None and agent.load_balancing != "maglev":
        yield "session_affinity: by maglev, and on the same host too"
    if agent.mirror is not None:
        yield "mirror: copies have the agent's host and path, not those of the mirror's url"
    if agent.http2 and agent.service is not None:
        yield "http2: the Service's port must say `appProtocol: kubernetes.io/h2c`"
    if any(_is_local(url) for url in _urls(agent)):
        yield "url: Envoy Gateway refuses loopback addresses and names without a dot on Kubernetes"


def _urls(agent: Agent) -> Iterator[str]:
    for each in (agent, *(agent.variants or ())):
        yield from (*each.urls, *each.failover)


def _is_local(url: str) -> bool:
    host = parse_origin(url).address.host
    return host in {"127.0.0.1", "::1"} or not ("." in host or ":" in host)


def _of_all(config: Config) -> Iterator[str]:
    if config.orchestrator.avoid_unavailable:
        yield "orchestrator.avoid_unavailable: has no effect; it needs the Envoy of `outerloop up`"
    if config.limits.decompress:
        yield "limits.decompress: has no effect; such bodies are answered 415"
    if config.observability.access_log is not None:
        yield "observability.access_log: is Envoy Gateway's own; see docs/deploy/envoy-gateway.md"
    if config.tracing.otlp_endpoint is not None:
        yield "tracing: of the processor; Envoy's is `telemetry.tracing` of an EnvoyProxy"
    if config.envoy.clusters or config.envoy.per_route:
        yield "envoy: clusters and per_route are not rendered"
    if config.egress.url is not None:
        yield "egress.url: let none but the processor reach that Gateway: it knows agents' keys"
