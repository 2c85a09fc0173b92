"""What Envoy has to run, with every name, address and timeout settled.

    Config ─ build ─> Topology ─ resources ─> envoy_data_plane objects ─ render ─> files

A Topology says what is there; how Envoy spells it is the affair of `resources`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from extproc.address import Address, SocketAddress
from extproc.calls import Target
from extproc.config.model.agents import Agent, CircuitBreaker, OutlierDetection, Retries
from extproc.config.model.listeners import Listener
from extproc.config.model.root import Config, Limits
from extproc.config.targets import filter_targets, targets
from extproc.envoyconf.trust import system_ca_file
from extproc.origin import Origin, parse_origin
from extproc.plan import longest_steps

PROCESSOR_CLUSTER: Final = "processor"

_DECISION_SLACK: Final = timedelta(seconds=2)
"""The processor answers at `decision_timeout`; Envoy waits a little longer for that answer."""

_IDLE_SLACK: Final = timedelta(seconds=5)
"""While a decision runs the stream is idle: Envoy must not give up before the processor does."""


@dataclass(frozen=True, slots=True)
class ClientTls:
    """TLS towards an agent: files are PEM. `certificate` and `key` stand or fall together."""

    ca: str
    certificate: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class UpstreamCluster:
    """The hosts of one service, and how Envoy guards them. `tls` is None for plain http."""

    name: str
    origin: Origin
    tls: ClientTls | None
    http2: bool
    circuit_breaker: CircuitBreaker
    outlier_detection: OutlierDetection


@dataclass(frozen=True, slots=True)
class AgentRoute:
    """The way from one listener to one agent. A timeout of zero is none.

    Where the answer is `filtered`, it passes the processor.
    """

    agent: str
    cluster: str
    authority: str
    path_prefix: str
    timeout: timedelta
    idle_timeout: timedelta
    retries: Retries
    filtered: bool


@dataclass(frozen=True, slots=True)
class AgentListener:
    """An address that clients talk to, and the agents that may be reached from it.

    `message_timeout` is how long Envoy waits for a decision, `max_message_timeout` what the
    processor may extend it to once, `stream_idle_timeout` how long nothing may move before an
    agent is chosen (its route then has its own), `answer_timeout` how long Envoy waits for the
    filters of an answer.
    """

    name: str
    address: SocketAddress
    routes: tuple[AgentRoute, ...]
    message_timeout: timedelta
    max_message_timeout: timedelta
    stream_idle_timeout: timedelta
    answer_timeout: timedelta


@dataclass(frozen=True, slots=True)
class EgressRoute:
    """The way from the processor to a target that it calls.

    A timeout of zero leaves the deadline to the caller.
    """

    target: str
    cluster: str
    authority: str
    timeout: timedelta = timedelta()
    idle_timeout: timedelta = timedelta()
    retries: Retries = field(default_factory=Retries)


@dataclass(frozen=True, slots=True)
class EgressListener:
    """The way out for the processor's own calls: loopback or a unix socket, never public."""

    address: Address
    routes: tuple[EgressRoute, ...]


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything Envoy runs. Listeners and clusters are in the order of the file.

    `egress` is None where the processor finds its own way out.
    """

    listeners: tuple[AgentListener, ...]
    egress: EgressListener | None
    clusters: tuple[UpstreamCluster, ...]
    processor: tuple[Address, ...]
    admin: Address
    limits: Limits
    response_headers: Literal["none", "basic", "full"]
    access_log: str | None

    @property
    def max_connections(self) -> int:
        """Most client connections at once, over all listeners."""
        return self.limits.max_connections * len(self.listeners)


def build(
    config: Config,
    *,
    processor: tuple[Address, ...],
    admin: Address,
    egress: Address | None = None,
    system_ca: str | None = None,
) -> Topology:
    """Settle what Envoy runs for `config`.

    Args:
        config: as `load` returns it: checked, and without disabled agents.
        processor: one address for each worker of the processor.
        admin: where Envoy's own admin listens: loopback or a unix socket, never public.
        egress: where the processor's own calls come in: loopback or a unix socket.
        system_ca: PEM file that https agents are checked against unless they name their own;
            default: this machine's.

    Raises:
        ValueError: an agent has no `url`, which `load` does not let pass.
    """
    agents = {agent.id: agent for agent in config.agents}
    ca = system_ca or system_ca_file()
    clusters = {agent.id: _cluster(agent, ca) for agent in agents.values()}
    called = (*targets(config).values(), *filter_targets(config).values()) if egress else ()
    return Topology(
        listeners=tuple(_listener(each, config, agents, clusters) for each in config.listeners),
        egress=EgressListener(egress, _egress_routes(called, agents, clusters)) if egress else None,
        clusters=(*clusters.values(), *(_target_cluster(target, ca) for target in called)),
        processor=processor,
        admin=admin,
        limits=config.limits,
        response_headers=config.observability.response_headers,
        access_log=config.observability.access_log,
    )


def _cluster(agent: Agent, system_ca: str) -> UpstreamCluster:
    if agent.url is None:
        raise ValueError(f"agent {agent.id} has no url")
    origin = parse_origin(agent.url)
    tls = ClientTls(agent.tls.ca or system_ca, agent.tls.certificate, agent.tls.key)
    return UpstreamCluster(
        # A slash cannot stand in an id, so that no two names can ever meet.
        name=f"agent/{agent.id}",
        origin=origin,
        tls=tls if origin.tls else None,
        http2=agent.http2,
        circuit_breaker=agent.circuit_breaker,
        outlier_detection=agent.outlier_detection,
    )


def _target_cluster(target: Target, system_ca: str) -> UpstreamCluster:
    return UpstreamCluster(
        name=f"target/{target.name}",
        origin=target.origin,
        tls=ClientTls(system_ca) if target.origin.tls else None,
        http2=False,
        circuit_breaker=CircuitBreaker(),
        # A target has one host: to leave it out would only hide why it fails.
        outlier_detection=OutlierDetection(consecutive_gateway_failure=0),
    )


def _egress_routes(
    called: tuple[Target, ...],
    agents: Mapping[str, Agent],
    clusters: Mapping[str, UpstreamCluster],
) -> tuple[EgressRoute, ...]:
    servers = (
        EgressRoute(target.name, f"target/{target.name}", target.origin.authority)
        for target in called
    )
    return (*servers, *(_egress_to(agents[each], clusters[each]) for each in agents))


def _egress_to(agent: Agent, cluster: UpstreamCluster) -> EgressRoute:
    return EgressRoute(
        target=cluster.name,
        cluster=cluster.name,
        authority=cluster.origin.authority,
        timeout=agent.timeout or timedelta(),
        idle_timeout=agent.idle_timeout,
        retries=agent.retries,
    )


def _listener(
    listener: Listener,
    config: Config,
    agents: Mapping[str, Agent],
    clusters: Mapping[str, UpstreamCluster],
) -> AgentListener:
    offered = [agent.id for agent in listener.agents]
    ruled = [agent for rule in listener.rules for agent in rule.agents or ()]
    routes = tuple(
        _route(listener, agents[each], clusters[each]) for each in dict.fromkeys(offered + ruled)
    )
    message_timeout = listener.decision_timeout + _DECISION_SLACK
    longest_step = max((route.timeout.total_seconds() for route in routes), default=0.0)
    earlier = [longest_step] * (config.orchestrator.max_agents - 1)
    longest_plan = message_timeout + timedelta(
        seconds=longest_steps(earlier, parallel=listener.execution == "parallel")
    )
    return AgentListener(
        name=listener.name,
        address=SocketAddress(listener.address, listener.port),
        routes=routes,
        message_timeout=message_timeout,
        max_message_timeout=longest_plan,
        stream_idle_timeout=longest_plan + _IDLE_SLACK,
        answer_timeout=_DECISION_SLACK + timedelta(seconds=longest_step),
    )


def _route(listener: Listener, agent: Agent, cluster: UpstreamCluster) -> AgentRoute:
    own = {each.id: each.output_filters for each in listener.agents}
    return AgentRoute(
        agent=agent.id,
        cluster=cluster.name,
        authority=cluster.origin.authority,
        path_prefix=cluster.origin.path_prefix,
        timeout=listener.timeout if agent.timeout is None else agent.timeout,
        idle_timeout=agent.idle_timeout,
        retries=agent.retries,
        filtered=bool(listener.output_filters or own.get(agent.id)),
    )
