"""From a configuration to what Envoy has to run for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from extproc.address import Address, SocketAddress
from extproc.calls import Target
from extproc.config.model.agents import Agent
from extproc.config.model.listeners import Listener
from extproc.config.model.root import Config
from extproc.config.targets import filter_targets, targets
from extproc.envoyconf.fallbacks import (
    chain_clusters,
    chain_destination,
    chain_of,
    hop_destinations,
)
from extproc.envoyconf.files import Folder
from extproc.envoyconf.topology import (
    API_ROOT,
    TRACING_CLUSTER,
    AgentListener,
    AgentRoute,
    Cluster,
    EgressListener,
    EgressRoute,
    Topology,
    Tracing,
)
from extproc.envoyconf.trust import system_ca_file
from extproc.envoyconf.upstreams import (
    ClientTls,
    ProcessorTls,
    UpstreamCluster,
    agent_clusters,
    agent_destination,
    mirror_cluster,
    target_cluster,
    target_destination,
)
from extproc.names import TAKEOVER
from extproc.otlp import parse_collector
from extproc.plan import LONGEST_WAIT

_DECISION_SLACK: Final = timedelta(seconds=2)
"""The processor answers at `decision_timeout`; Envoy waits a little longer for that answer."""

BESIDE_A_GATEWAY: Final = Folder("/etc/outerloop", dynamic=False)


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are on the machine that Envoy runs on.

    `processor` has one address for each worker, or two of which one is in use. Envoy's own
    `admin` is loopback or a unix socket, never public; so is `egress`, where the processor's own
    calls come in. An Envoy that is `complete` has no clusters but those of the configuration.
    """

    processor: tuple[Address, ...]
    admin: Address
    egress: Address | None = None
    folder: Folder = BESIDE_A_GATEWAY
    complete: bool = False
    processor_tls: ProcessorTls | None = None


def build(config: Config, places: Places, *, system_ca: str | None = None) -> Topology:
    """Settle what Envoy runs for `config`.

    Args:
        config: as `load` returns it: checked, and without disabled agents.
        places: where it runs.
        system_ca: PEM file that https agents are checked against unless they name their own;
            default: this machine's.

    Raises:
        ValueError: an agent's cluster is not there where Envoy has no others than ours.
    """
    if places.complete:
        _require_clusters(config)
    agents = {agent.id: agent for agent in config.agents}
    ca = system_ca or system_ca_file()
    egress = places.egress
    tracing = _tracing(config)
    longest = max(each.timeout for each in config.listeners)
    called = (*targets(config).values(), *filter_targets(config).values()) if egress else ()
    return Topology(
        listeners=tuple(
            _listener(each, agents, chained=egress is not None) for each in config.listeners
        ),
        egress=EgressListener(egress, _egress_routes(called, agents, longest)) if egress else None,
        clusters=(
            *_unique(
                cluster
                for agent in config.agents
                for cluster in _clusters(agent, agents, egress, ca)
            ),
            *(target_cluster(target, ca) for target in called),
            *((_tracing_cluster(tracing, ca),) if tracing is not None else ()),
        ),
        processor=places.processor,
        admin=places.admin,
        limits=config.limits,
        response_headers=config.observability.response_headers,
        access_log=config.observability.access_log,
        count_tokens=config.observability.tokens,
        tracing=tracing,
        folder=places.folder,
        own=config.envoy,
        processor_tls=places.processor_tls,
    )


def _require_clusters(config: Config) -> None:
    """Raise ValueError for an agent whose cluster nobody has told an Envoy of ours."""
    known = {each.get("name") for each in config.envoy.clusters}
    for agent in config.agents:
        if agent.cluster is not None and agent.cluster not in known:
            raise ValueError(
                f"agent {agent.id}: its `cluster` is one of a gateway that exists; here it must "
                "stand in `envoy.clusters`"
            )


def _tracing(config: Config) -> Tracing | None:
    asked = config.tracing
    if asked.otlp_endpoint is None:
        return None
    attributes = tuple(sorted(asked.span_attributes.static.items()))
    return Tracing(parse_collector(asked.otlp_endpoint), asked.random_sampling, attributes)


def _tracing_cluster(tracing: Tracing, system_ca: str) -> UpstreamCluster:
    collector = tracing.collector
    tls = ClientTls(system_ca) if collector.origin.tls else None
    # gRPC is HTTP/2.
    http2 = collector.path is None
    return UpstreamCluster(TRACING_CLUSTER, ((collector.origin,),), tls, http2=http2)


def _clusters(
    agent: Agent, agents: Mapping[str, Agent], egress: Address | None, system_ca: str
) -> Iterator[Cluster]:
    yield from agent_clusters(agent, system_ca)
    mirror = mirror_cluster(agent, system_ca)
    if mirror is not None:
        yield mirror
    chain = chain_of(agent, agents)
    if egress is not None and len(chain) > 1:
        yield from chain_clusters(chain, egress)


def _unique(clusters: Iterable[Cluster]) -> Iterator[Cluster]:
    """Leave out what several chains have in common."""
    return iter({each.name: each for each in clusters}.values())


def _egress_routes(
    called: tuple[Target, ...], agents: Mapping[str, Agent], timeout: timedelta
) -> tuple[EgressRoute, ...]:
    """Return the routes; `timeout` is for agents behind a chain that have none of their own."""
    routes = [EgressRoute(target.name, target_destination(target)) for target in called]
    for agent in agents.values():
        chain = chain_of(agent, agents)
        # The processor keeps the time of its calls, and puts the path together.
        if len(chain) == 1:
            to = replace(agent_destination(agent, timedelta()), path_prefix="")
            routes.append(EgressRoute(f"agent/{agent.id}", to))
            continue
        prefix = agent_destination(agent, timeout).path_prefix
        to = chain_destination(chain, timedelta())
        rewrite = API_ROOT if prefix else ""
        routes.append(EgressRoute(f"agent/{agent.id}", to, prefix + API_ROOT, rewrite))
        routes += _hop_routes(chain, timeout)
    return tuple({each.target: each for each in routes}.values())


def _hop_routes(chain: tuple[Agent, ...], timeout: timedelta) -> Iterator[EgressRoute]:
    for target, agent, to in hop_destinations(chain, timeout):
        rewrite = to.path_prefix + API_ROOT if to.path_prefix else ""
        new_model = agent.model is not None and target.startswith(TAKEOVER)
        yield EgressRoute(target, to, API_ROOT, rewrite, agent.id, new_model)


def _listener(listener: Listener, agents: Mapping[str, Agent], *, chained: bool) -> AgentListener:
    offered = [agent.id for agent in listener.agents]
    ruled = [agent for rule in listener.rules for agent in rule.agents or ()]
    filtered = {each.id for each in listener.agents if each.output_filters}
    routes = tuple(
        _route(
            chain_of(agents[each], agents) if chained else (agents[each],),
            listener.timeout,
            filtered=bool(listener.output_filters) or each in filtered,
        )
        for each in dict.fromkeys(offered + ruled)
    )
    return AgentListener(
        name=listener.name,
        address=SocketAddress(listener.address, listener.port),
        routes=routes,
        message_timeout=min(listener.decision_timeout + _DECISION_SLACK, LONGEST_WAIT),
        tls=listener.tls,
        unasked=listener.default_agent if listener.on_unavailable == "default_agent" else None,
        observed_by=listener.default_agent if listener.mode == "observe" else None,
    )


def _route(chain: tuple[Agent, ...], timeout: timedelta, *, filtered: bool) -> AgentRoute:
    agent, *others = chain
    to = chain_destination(chain, timeout) if others else agent_destination(agent, timeout)
    return AgentRoute(agent.id, to, filtered)
