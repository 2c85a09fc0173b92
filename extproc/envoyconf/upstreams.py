"""Agents and other services as Envoy reaches them: clusters, and what leads to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from extproc.address import Address, is_ip
from extproc.calls import Target
from extproc.config.model.agents import (
    Agent,
    CircuitBreaker,
    HealthCheck,
    LoadBalancing,
    OutlierDetection,
    Retries,
    Upstream,
)
from extproc.envoyconf.shares import layout
from extproc.origin import Origin, parse_origin

_DIGITS: Final = 8
_NOT_WATCHED: Final = OutlierDetection(consecutive_gateway_failure=0)
"""A service of one host: to leave it out would only hide why it fails."""


@dataclass(frozen=True, slots=True)
class ClientTls:
    """TLS towards an agent: files are PEM. `certificate` and `key` stand or fall together."""

    ca: str
    certificate: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class ProcessorTls(ClientTls):
    """TLS towards the processor, whose certificate must have the name `san`: DNS, URI or IP.

    The files are PEM, where Envoy is.
    """

    san: str = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class UpstreamCluster:
    """The hosts of one service, and how Envoy guards them. `tls` is None for plain http.

    `groups` are hosts in the order of their priority, each one used when no host of those before
    it is healthy. With `has_key` an `access_key` is sent instead of the caller's; `headers` are
    the names of those that are added. `agent` and `variant` are what figures and logs call it.
    """

    name: str
    groups: tuple[tuple[Origin, ...], ...]
    tls: ClientTls | None
    http2: bool = False
    load_balancing: LoadBalancing = "least_request"
    circuit_breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    outlier_detection: OutlierDetection = _NOT_WATCHED
    health_check: HealthCheck | None = None
    has_key: bool = False
    headers: tuple[str, ...] = ()
    agent: str = ""
    variant: str = ""

    @property
    def hosts(self) -> tuple[Origin, ...]:
        """All hosts, those of the first group first."""
        return tuple(host for group in self.groups for host in group)

    @property
    def literal(self) -> bool:
        """True where no host has a name to be resolved."""
        return all(is_ip(host.address.host) for host in self.hosts)

    @property
    def shape(self) -> str:
        """A digest of all but the hosts."""
        return hashlib.sha256(repr(replace(self, groups=())).encode()).hexdigest()[:_DIGITS]

    @property
    def authority(self) -> str | None:
        """The `host` header of requests; None where each host has its own."""
        authorities = {host.authority for host in self.hosts}
        return authorities.pop() if len(authorities) == 1 else None


@dataclass(frozen=True, slots=True)
class Hop:
    """A cluster that is our own egress listener, which knows the way on by the name of `target`."""

    name: str
    target: str
    listener: Address


@dataclass(frozen=True, slots=True)
class Chain:
    """A cluster of clusters: each attempt of a request goes to the next one."""

    name: str
    clusters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Takeover:
    """When the next one of a chain is tried: by status, or by an error of Envoy's own."""

    attempts: int
    statuses: tuple[int, ...]
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """A run of places of a draw that lead to one cluster: see `shares.layout`."""

    cluster: str
    weight: int
    authority: str | None


@dataclass(frozen=True, slots=True)
class Copies:
    """Requests of which a share (percent) goes to another cluster too, its answers thrown away."""

    cluster: str
    authority: str
    percent: float


@dataclass(frozen=True, slots=True)
class Destination:
    """How a route reaches one service. A timeout of zero is none.

    `affinity` is the header by which a caller stays on its share and, where the cluster hashes,
    its host. The caller's credentials go on only with `forward_authorization`. A `foreign` cluster
    is not ours: what answers there has passed none of our filters.
    """

    shares: tuple[Share, ...]
    path_prefix: str = ""
    timeout: timedelta = timedelta()
    idle_timeout: timedelta = timedelta()
    retries: Retries | Takeover = field(default_factory=Retries)
    failover: bool = False
    affinity: str | None = None
    copies: Copies | None = None
    forward_authorization: bool = True
    foreign: bool = False

    @property
    def own_authorities(self) -> bool:
        """True where hosts that it may reach have authorities of their own."""
        authorities = {share.authority for share in self.shares}
        return None in authorities or len(authorities) > 1


def agent_clusters(agent: Agent, system_ca: str) -> tuple[UpstreamCluster, ...]:
    """Return the clusters of an agent: one, or one for each variant.

    None for one whose cluster the gateway has already. `system_ca` is the PEM file that https
    hosts are checked against unless the agent names one.
    """
    if agent.cluster is not None:
        return ()
    return tuple(
        UpstreamCluster(
            # A slash cannot stand in an id, so that no two names can ever meet.
            name=f"agent/{agent.id}/{variant}" if variant else f"agent/{agent.id}",
            groups=groups,
            tls=_tls(agent, system_ca) if groups[0][0].tls else None,
            http2=agent.http2,
            load_balancing=agent.load_balancing,
            circuit_breaker=agent.circuit_breaker,
            outlier_detection=agent.outlier_detection,
            health_check=agent.health_check,
            has_key=agent.access_key is not None,
            headers=tuple(agent.headers),
            agent=agent.id,
            variant=variant,
        )
        for variant, groups in _upstreams(agent)
    )


def mirror_cluster(agent: Agent, system_ca: str) -> UpstreamCluster | None:
    """Return the cluster that gets copies of an agent's requests, if any does."""
    if agent.mirror is None:
        return None
    origin = parse_origin(agent.mirror.url)
    tls = _tls(agent, system_ca) if origin.tls else None
    return UpstreamCluster(f"mirror/{agent.id}", ((origin,),), tls)


def target_cluster(target: Target, system_ca: str) -> UpstreamCluster:
    """Return the cluster of a service that the processor calls."""
    tls = ClientTls(system_ca) if target.origin.tls else None
    return UpstreamCluster(f"target/{target.name}", ((target.origin,),), tls)


def target_destination(target: Target) -> Destination:
    """Return the way to it, where the caller keeps the time."""
    return Destination((Share(f"target/{target.name}", 1, target.origin.authority),))


def agent_destination(agent: Agent, timeout: timedelta) -> Destination:
    """Return the way to an agent; `timeout` is for agents that have none of their own."""
    clusters = {each.variant: each for each in agent_clusters(agent, "")}
    affinity = agent.session_affinity
    return Destination(
        shares=_shares(agent, clusters),
        path_prefix=next((each.hosts[0].path_prefix for each in clusters.values()), ""),
        timeout=timeout if agent.timeout is None else agent.timeout,
        idle_timeout=agent.idle_timeout,
        retries=agent.retries,
        failover=any(len(cluster.groups) > 1 for cluster in clusters.values()),
        affinity=affinity.header if affinity is not None else None,
        copies=_copies(agent),
        forward_authorization=agent.forwards_authorization,
        foreign=agent.cluster is not None,
    )


def _shares(agent: Agent, clusters: Mapping[str, UpstreamCluster]) -> tuple[Share, ...]:
    if agent.cluster is not None:
        # The hosts are not known: they are called by the name that the client used.
        return (Share(agent.cluster, 1, ""),)
    weights = {each.id: each.weight for each in agent.variants or ()} or {"": 1}
    return tuple(
        Share(clusters[variant].name, weight, clusters[variant].authority)
        for variant, weight in layout(weights)
    )


def _upstreams(agent: Agent) -> Iterator[tuple[str, tuple[tuple[Origin, ...], ...]]]:
    for variant, upstream in _named(agent):
        groups = (upstream.urls, upstream.failover)
        if not upstream.urls:
            raise ValueError(f"agent {agent.id} has no url")
        yield variant, tuple(tuple(map(parse_origin, group)) for group in groups if group)


def _named(agent: Agent) -> Iterator[tuple[str, Upstream]]:
    if agent.variants is None:
        yield "", agent
        return
    for variant in agent.variants:
        yield variant.id, variant


def _tls(agent: Agent, system_ca: str) -> ClientTls:
    return ClientTls(agent.tls.ca or system_ca, agent.tls.certificate, agent.tls.key)


def _copies(agent: Agent) -> Copies | None:
    if agent.mirror is None:
        return None
    authority = parse_origin(agent.mirror.url).authority
    return Copies(f"mirror/{agent.id}", authority, agent.mirror.percent)
