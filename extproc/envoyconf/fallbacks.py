"""Agents that take over for others: within one request, when all hosts of one are down.

    route ─> chain ─┬─ 1st attempt ─> hop.a      ─> egress listener ─> agent a, with its own retries
                    └─ 2nd attempt ─> takeover.b ─> egress listener ─> agent b, likewise

Each agent has its own host name, path, keys, variants and timeouts, so each is reached by a route
of its own, and what is tried again on the way to one is the affair of that route.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

from extproc.address import Address
from extproc.config.model.agents import Agent, Retries
from extproc.envoyconf.upstreams import (
    Chain,
    Destination,
    Hop,
    Share,
    Takeover,
    agent_destination,
)
from extproc.names import TAKEOVER

_DOWN: Final = ("no_healthy_upstream", "upstream_unreachable")
_ANY_STATUS: Final = frozenset({"5xx", "gateway-error"})
_GATEWAY: Final = (502, 503, 504)
_RESETS: Final = frozenset({"5xx", "reset"})


def chain_of(agent: Agent, agents: Mapping[str, Agent]) -> tuple[Agent, ...]:
    """Return the agent and those that take over for it, in order and each once."""
    chain: dict[str, Agent] = {}
    following: Agent | None = agent
    while following is not None and following.id not in chain:
        chain[following.id] = following
        following = agents.get(following.fallback) if following.fallback is not None else None
    return tuple(chain.values())


def chain_clusters(chain: tuple[Agent, ...], egress: Address) -> Iterator[Chain | Hop]:
    """Yield the clusters through which a request passes to the agents of a chain."""
    hops = tuple(Hop(target, target, egress) for target in _targets(chain))
    yield Chain(_name(chain), tuple(hop.name for hop in hops))
    yield from hops


def chain_destination(chain: tuple[Agent, ...], timeout: timedelta) -> Destination:
    """Return the way to the first of a chain that can be reached.

    `timeout` is that of agents without one of their own. All of them may take their time.
    """
    first = agent_destination(chain[0], timeout)
    ways = [agent_destination(each, timeout) for each in chain]
    endless = any(not way.timeout for way in ways)
    return Destination(
        # By its host name each hop finds its route.
        shares=(Share(_name(chain), 1, None),),
        timeout=timedelta() if endless else sum((way.timeout for way in ways), timedelta()),
        idle_timeout=max(way.idle_timeout for way in ways),
        retries=_takeover(first.retries, len(chain) - 1),
    )


def hop_destinations(
    chain: tuple[Agent, ...], timeout: timedelta
) -> Iterator[tuple[str, Agent, Destination]]:
    """Yield the targets on the egress listener, each with its agent and the way to that alone."""
    for target, agent in zip(_targets(chain), chain, strict=True):
        yield target, agent, agent_destination(agent, timeout)


def _targets(chain: tuple[Agent, ...]) -> tuple[str, ...]:
    first, *later = chain
    return (f"hop.{first.id}", *(f"{TAKEOVER}{each.id}" for each in later))


def _name(chain: tuple[Agent, ...]) -> str:
    return f"chain/{chain[0].id}"


def _takeover(retries: Retries | Takeover, attempts: int) -> Takeover:
    """Return when an agent counts as down: what it would be asked again for, to the end."""
    conditions = retries.retry_on if isinstance(retries, Retries) else ()
    words = {each for each in conditions if isinstance(each, str)}
    statuses = tuple(each for each in conditions if isinstance(each, int))
    if words & _ANY_STATUS:
        statuses = tuple(dict.fromkeys((*statuses, *_GATEWAY)))
    errors = list(_DOWN)
    if words & _RESETS:
        errors.append("upstream_reset")
    patient = isinstance(retries, Retries) and retries.per_try_timeout is not None
    if patient and words & (_RESETS | _ANY_STATUS):
        errors.append("upstream_timeout")
    return Takeover(attempts, statuses, tuple(errors))
