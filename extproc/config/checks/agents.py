"""Checks of `agents`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from extproc.config.checks.finding import Finding, repeated, unknown
from extproc.config.faults import Location
from extproc.config.model.agents import Agent, Upstream
from extproc.config.model.root import Config
from extproc.config.yaml_source import Node

_WAYS: Final = ("url", "endpoints", "variants", "cluster", "service")
_OF_CLUSTERS: Final = (
    "load_balancing",
    "circuit_breaker",
    "outlier_detection",
    "health_check",
    "http2",
    "tls",
)
_SENT_BY_CLUSTERS: Final = ("access_key", "headers")
_HASHING: Final = ("ring_hash", "maglev")


def check_agents(config: Config, tree: Node, agent_ids: frozenset[str]) -> Iterator[Finding]:
    """Check the agents that are enabled."""
    enabled = [(agent, ("agents", i)) for i, agent in enumerate(config.agents) if agent.enabled]
    yield from repeated(((agent.id, (*location, "id")) for agent, location in enabled), "id")
    for agent, location in enabled:
        yield from _ways(agent, location)
        yield from _foreign(agent, location)
        yield from _urls(agent, location)
        yield from _variants(agent, location)
        yield from _affinity(agent, location)
        yield from _fallback(agent, location, tree, agent_ids)
        yield from _tls(agent, location)


def _ways(agent: Agent, location: Location) -> Iterator[Finding]:
    ways = [way for way in _WAYS if getattr(agent, way) is not None]
    if len(ways) != 1:
        given = f", not {' and '.join(ways)}" if ways else ""
        at = (*location, ways[1]) if ways else location
        needs = tuple((*location, way) for way in _WAYS)
        yield Finding(at, f"needs exactly one of {', '.join(_WAYS)}{given}", bool(ways), needs)
    if agent.failover and not (agent.url or agent.endpoints):
        message = "goes with `url` or `endpoints`; a variant has its own"
        needs = ((*location, "url"), (*location, "endpoints"))
        yield Finding((*location, "failover"), message, at_key=True, needs=needs)


def _foreign(agent: Agent, location: Location) -> Iterator[Finding]:
    """What is said of hosts says nothing where the gateway knows them, and nobody else."""
    if agent.cluster is None:
        return
    needs = ((*location, "cluster"),)
    for key in _OF_CLUSTERS:
        if key in agent.model_fields_set:
            message = "has no effect with `cluster`: it is the affair of the gateway's own cluster"
            at = (*location, key)
            yield Finding(at, message, at_key=True, needs=needs, is_warning=True)
    for key in _SENT_BY_CLUSTERS:
        if getattr(agent, key):
            message = "cannot go with `cluster`: the cluster of an agent's `url` would send it"
            yield Finding((*location, key), message, at_key=True, needs=needs)


def _urls(agent: Agent, location: Location) -> Iterator[Finding]:
    """One route serves all hosts of an agent, so they must have one path; and one scheme."""
    upstreams: list[tuple[Location, Upstream]] = [(location, agent)]
    for index, variant in enumerate(agent.variants or ()):
        upstreams.append(((*location, "variants", index), variant))
    first_path: str | None = None
    for where, upstream in upstreams:
        first_scheme: str | None = None
        for at, url in _hosts(upstream, where):
            scheme, path = urlsplit(url).scheme, urlsplit(url).path.rstrip("/")
            first_scheme = first_scheme or scheme
            first_path = path if first_path is None else first_path
            if scheme != first_scheme:
                yield Finding(at, "must have the same scheme as the other hosts of the agent")
            elif path != first_path:
                yield Finding(at, "must have the same path as the other hosts of the agent")
    mirror_path = urlsplit(agent.mirror.url).path.rstrip("/") if agent.mirror else ""
    if first_path is not None and mirror_path not in ("", first_path):
        yield Finding((*location, "mirror", "url"), "must have the path of the agent, or none")


def _hosts(upstream: Upstream, location: Location) -> Iterator[tuple[Location, str]]:
    if upstream.url is not None:
        yield (*location, "url"), upstream.url
    for key in ("endpoints", "failover"):
        for index, url in enumerate(getattr(upstream, key) or ()):
            yield (*location, key, index), url


def _variants(agent: Agent, location: Location) -> Iterator[Finding]:
    variants = agent.variants or ()
    where = (*location, "variants")
    yield from repeated(((v.id, (*where, i, "id")) for i, v in enumerate(variants)), "id")
    if variants and not any(variant.weight for variant in variants):
        message = "the weights add up to 0: no variant gets requests"
        yield Finding(where, message, at_key=True, needs=(where,))
    for index, variant in enumerate(variants):
        if (variant.url is None) == (variant.endpoints is None):
            needs = tuple((*where, index, key) for key in ("url", "endpoints"))
            yield Finding((*where, index), "needs exactly one of url, endpoints", needs=needs)


def _affinity(agent: Agent, location: Location) -> Iterator[Finding]:
    if agent.session_affinity is None or agent.variants:
        return
    if len(agent.endpoints or ()) > 1 and agent.load_balancing not in _HASHING:
        key = "load_balancing" if "load_balancing" in agent.model_fields_set else "session_affinity"
        message = f"session_affinity between hosts needs load_balancing {' or '.join(_HASHING)}"
        yield Finding((*location, key), message, needs=((*location, "load_balancing"),))


def _fallback(
    agent: Agent, location: Location, tree: Node, ids: frozenset[str]
) -> Iterator[Finding]:
    if agent.fallback is None:
        return
    at = (*location, "fallback")
    if agent.fallback == agent.id:
        yield Finding(at, "an agent cannot take over for itself")
    if agent.fallback not in ids:
        yield unknown(tree, at, "agents")


def _tls(agent: Agent, location: Location) -> Iterator[Finding]:
    where = (*location, "tls")
    if (agent.tls.certificate is None) != (agent.tls.key is None):
        yield Finding(where, "certificate and key go together", at_key=True, needs=(where,))
    if agent.tls.model_fields_set and agent.url and urlsplit(agent.url).scheme == "http":
        message = "has no effect: the url is not https"
        needs = ((*location, "url"),)
        yield Finding(where, message, at_key=True, needs=needs, is_warning=True)
