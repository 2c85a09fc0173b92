"""What is left to do by hand, and what Istio cannot express: each note begins with its key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from extproc.config.model.agents import Agent
from extproc.config.model.root import Config
from extproc.envoyconf.build import BESIDE_A_GATEWAY
from extproc.envoyconf.files import header_secret, key_secret, secret_file
from extproc.envoyconf.topology import AgentListener, Topology
from extproc.envoyconf.upstreams import UpstreamCluster
from extproc.manifests.istio.gateways import host_of, name_of
from extproc.manifests.istio.place import Place
from extproc.manifests.istio.services import is_kubernetes, service_of
from extproc.manifests.kubernetes.network import is_loopback
from extproc.manifests.source import Source
from extproc.manifests.variables import Variables

_PRIVILEGED: Final = 1024


def notes(source: Source, place: Place, topology: Topology) -> tuple[str, ...]:
    """Return the notes on a configuration, of which `topology` is what Istio can express."""
    config = source.config
    variables = Variables.of(source)
    return (
        *(note for each in topology.listeners for note in _of_listener(each, place)),
        *(note for each in config.agents for note in _of_agent(each)),
        *(note for each in config.agents for note in _secrets(each, variables)),
        *(note for each in topology.upstreams for note in _of_cluster(each)),
        *_shared(topology, place),
        *_of_the_rest(config, place),
    )


def _of_listener(listener: AgentListener, place: Place) -> Iterator[str]:
    key, port = f"listeners[{listener.name}]", listener.address.port
    ingress = place.ingress
    if listener.observed_by is not None:
        yield (
            f"{key}.mode: no Gateway and no routes are rendered: call the http routes of your "
            f"VirtualServices that are to be watched `name: {listener.name}`"
        )
    elif ingress.is_sidecar:
        yield (
            f"{key}.port: sidecars decide about all requests to port {port} of whatever host: "
            f"no other Service may have it; clients call http://{host_of(listener, place)}:{port}"
        )
    else:
        yield (
            f"{key}.port: the Service of the gateway ({ingress.namespace}, label istio: "
            f"{ingress.label}) must have a port whose targetPort is {port}"
        )
    if 0 < port < _PRIVILEGED and not ingress.is_sidecar:
        yield f"{key}.port: gateway pods may not listen below {_PRIVILEGED}: name the targetPort"
    if listener.tls is not None:
        yield f"{key}.tls: {_of_tls(listener, place)}"


def _of_tls(listener: AgentListener, place: Place) -> str:
    if listener.observed_by is not None or place.ingress.is_sidecar or listener.tls is None:
        return "is not rendered"
    ca = "" if listener.tls.client_ca is None else ", and ca.crt for clients"
    secret = f"the Secret {name_of(listener, place)} in {place.ingress.namespace}"
    return f"is read from {secret}: tls.crt and tls.key{ca}"


def _of_agent(agent: Agent) -> Iterator[str]:
    key = f"agents[{agent.id}]"
    if agent.fallback is not None:
        yield f"{key}.fallback: needs the Envoy of outerloop up: no agent takes over for another"
    if agent.mirror is not None:
        yield f"{key}.mirror: copies have the host name, and the `headers`, of the agent"
    for tls_file in (agent.tls.ca, agent.tls.certificate, agent.tls.key):
        if tls_file is not None:
            yield f"{key}.tls: {tls_file} must be there in the gateway's pods"


def _secrets(agent: Agent, variables: Variables) -> Iterator[str]:
    named = {f"headers.{each}": header_secret(agent.id, each) for each in variables.among(agent)}
    if agent.access_key is not None:
        named["access_key"] = key_secret(agent.id)
    for key, secret in named.items():
        path = BESIDE_A_GATEWAY / secret_file(secret)
        yield (
            f"agents[{agent.id}].{key}: is not rendered: {path} must be there in the gateway's "
            "pods, or the agent's cluster is refused: see docs/deploy/istio.md"
        )


def _of_cluster(cluster: UpstreamCluster) -> Iterator[str]:
    key = f"agents[{cluster.agent}]" if cluster.agent else cluster.name
    for host in cluster.hosts:
        if is_loopback(host):
            yield f"{key}: {host.authority} is the gateway's own pod"
    if cluster.authority is None:
        yield f"{key}.endpoints: are called by the client's host name, as they differ in theirs"
    if len(cluster.groups) > 1:
        yield (
            f"{key}.failover: Istio begins to use it when less than 72 % of the first group is "
            "healthy"
        )
        if not cluster.outlier_detection.consecutive_gateway_failure:
            yield f"{key}.failover: without outlier_detection Istio makes one group of both"


def _shared(topology: Topology, place: Place) -> Iterator[str]:
    owners: dict[str, str] = {}
    for each in topology.upstreams:
        if each.agent and is_kubernetes(each):
            owner = owners.setdefault(service_of(each, place).host, each.agent)
            if owner != each.agent:
                yield (
                    f"agents[{each.agent}]: has the limits and checks of agents[{owner}], whose "
                    "Service it has"
                )


def _of_the_rest(config: Config, place: Place) -> Iterator[str]:
    if config.orchestrator.avoid_unavailable:
        yield "orchestrator.avoid_unavailable: has no effect beside a gateway"
    if config.egress.url is not None:
        yield (
            f"egress.url: is a gateway of its own ({place.egress.namespace}, label istio: "
            f"{place.egress.label}), which only the processor may reach"
        )
        if config.egress.url.startswith("https:"):
            secret = f"the Secret {place.named('egress')} in {place.egress.namespace}"
            yield f"egress.url: its certificate is read from {secret}: tls.crt and tls.key"
    if config.tracing.otlp_endpoint is not None:
        yield "tracing: is the processor's; spans of the gateway are the affair of Telemetry"
    if "access_log" in config.observability.model_fields_set:
        yield "observability.access_log: is the affair of Istio's Telemetry"
    if "tokens" in config.observability.model_fields_set:
        yield "observability.tokens: are counted by the Envoy of outerloop up alone"
