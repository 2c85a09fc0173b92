"""What Envoy has to run, with every name, address and timeout settled.

    Config ─ build ─> Topology ─ resources ─> envoy_data_plane objects ─ render ─> files

A Topology says what is there; how Envoy spells it is the affair of `resources`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from extproc.address import Address, SocketAddress
from extproc.config.model.deploy import OwnEnvoy
from extproc.config.model.listeners import ListenerTls
from extproc.config.model.root import Limits
from extproc.envoyconf.files import Folder
from extproc.envoyconf.upstreams import Chain, Destination, Hop, ProcessorTls, UpstreamCluster
from extproc.otlp import Collector

PROCESSOR_CLUSTER: Final = "processor"
TRACING_CLUSTER: Final = "tracing"

API_ROOT: Final = "/v1/"
"""What the paths of all APIs begin with."""

Cluster: TypeAlias = UpstreamCluster | Hop | Chain


@dataclass(frozen=True, slots=True)
class AgentRoute:
    """The way from one listener to one agent. A `filtered` answer passes the processor."""

    agent: str
    to: Destination
    filtered: bool


@dataclass(frozen=True, slots=True)
class AgentListener:
    """An address that clients talk to, and the agents that may be reached from it.

    `unasked` is the agent that gets what the processor could not be asked about; None: nobody.
    `message_timeout` is how long Envoy waits for a decision. `observed_by` is the agent that gets
    everything where decisions are only observed. Nothing here follows from agents: a listener that
    changes is drained.
    """

    name: str
    address: SocketAddress
    routes: tuple[AgentRoute, ...]
    message_timeout: timedelta
    tls: ListenerTls | None = None
    unasked: str | None = None
    observed_by: str | None = None

    def keeping(self, routes: tuple[AgentRoute, ...]) -> AgentListener:
        """Return this one with those of `routes` whose agents it does not lead to itself."""
        agents = {each.agent for each in self.routes}
        lost = (each for each in routes if each.agent not in agents)
        return replace(self, routes=(*self.routes, *lost))


@dataclass(frozen=True, slots=True)
class EgressRoute:
    """The way to a target that the processor, or a chain, calls.

    `path` is what requests begin with, `rewrite` what that becomes where it is not empty. Where an
    `agent` is named, requests and answers say so; with `new_model` its own goes into the body.
    """

    target: str
    to: Destination
    path: str = "/"
    rewrite: str = ""
    agent: str = ""
    new_model: bool = False


@dataclass(frozen=True, slots=True)
class EgressListener:
    """The way out for the processor's own calls: loopback or a unix socket, never public."""

    address: Address
    routes: tuple[EgressRoute, ...]


@dataclass(frozen=True, slots=True)
class Tracing:
    """Where spans go, the share (percent) of new traces, and attributes of every span."""

    collector: Collector
    sampling: float
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything Envoy runs. Listeners and clusters are in the order of the file.

    `egress` is None where the processor finds its own way out; `folder` is where Envoy reads what
    does not stand in its bootstrap. `own` is what the user adds, as Envoy writes it. Without
    `processor_tls` the processor is spoken to in plain HTTP/2.
    """

    listeners: tuple[AgentListener, ...]
    egress: EgressListener | None
    clusters: tuple[Cluster, ...]
    processor: tuple[Address, ...]
    admin: Address
    limits: Limits
    response_headers: Literal["none", "basic", "full"]
    access_log: str | None
    count_tokens: bool
    tracing: Tracing | None
    folder: Folder
    own: OwnEnvoy
    processor_tls: ProcessorTls | None = None

    @property
    def upstreams(self) -> tuple[UpstreamCluster, ...]:
        """The clusters with hosts of others: agents, mirrors, targets."""
        return tuple(each for each in self.clusters if isinstance(each, UpstreamCluster))

    def keeping(self, others: Topology) -> Topology:
        """Return this one with the routes and clusters of another that it lacks itself.

        Requests that were decided by the other one still find their agents.
        """
        theirs = {listener.name: listener.routes for listener in others.listeners}
        egress = self.egress
        if egress is not None and others.egress is not None:
            named = {each.target for each in egress.routes}
            lost = [each for each in others.egress.routes if each.target not in named]
            egress = replace(egress, routes=(*egress.routes, *lost))
        clusters = {each.name for each in self.clusters}
        return replace(
            self,
            listeners=tuple(each.keeping(theirs.get(each.name, ())) for each in self.listeners),
            egress=egress,
            clusters=(
                *self.clusters,
                *(each for each in others.clusters if each.name not in clusters),
            ),
        )
