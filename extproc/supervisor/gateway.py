"""Our Envoy: what it runs, and how it gets from one configuration to the next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from extproc.config.model.root import Config
from extproc.envoyconf.files import Files
from extproc.envoyconf.secrets import Secret, secrets
from extproc.envoyconf.topology import AgentListener, Topology
from extproc.supervisor.discovery import Discovery

log = logging.getLogger(__name__)

Build: TypeAlias = Callable[[Config], Topology]
Render: TypeAlias = Callable[[Topology, Mapping[str, Secret]], Files]


class Gateway:
    """Keeps Envoy's files in step with the configuration."""

    def __init__(self, discovery: Discovery, build: Build, render: Render) -> None:
        self._discovery = discovery
        self._build = build
        self._render = render
        self._wanted: Topology | None = None
        self._in_force: Topology | None = None
        self._secrets: dict[str, Secret] = {}
        self._outlived: frozenset[str] = frozenset()

    def begin(self, config: Config) -> Topology:
        """Write everything for an Envoy that is yet to start. Raises ValueError."""
        self._secrets = secrets(config)
        self._wanted = self._in_force = topology = self._build(config)
        self._discovery.begin(self._render(topology, self._secrets))
        return topology

    async def confirm(self) -> None:
        """Return when the Envoy that started runs it. Raises `Rejected` and OSError."""
        await self._discovery.confirm()

    async def admit(self, config: Config) -> None:
        """Bring a configuration in force beside what requests on their way may still need.

        Raises ValueError, `Rejected` and OSError; what was in force before is then so again.
        """
        step = await asyncio.to_thread(self._step_to, config)
        await self._discovery.apply(step.files)
        if self._wanted is not None:
            _say_drained(self._wanted, step.wanted)
        self._outlived |= self._secrets.keys()
        self._wanted, self._in_force, self._secrets = step.wanted, step.whole, step.secrets

    async def settle(self) -> None:
        """Take away what only older configurations had. Raises `Rejected` and OSError."""
        wanted = self._wanted
        nothing_left = wanted == self._in_force and self._outlived <= self._secrets.keys()
        if wanted is None or nothing_left:
            return
        await self._discovery.trim(await asyncio.to_thread(self._render, wanted, self._secrets))
        self._in_force, self._outlived = wanted, frozenset()

    def _step_to(self, config: Config) -> _Step:
        wanted, found = self._build(config), secrets(config)
        whole = wanted if self._in_force is None else wanted.keeping(self._in_force)
        files = self._render(whole, {**self._secrets, **found})
        return _Step(wanted, whole, found, files)


@dataclass(frozen=True, slots=True)
class _Step:
    """What is `wanted`, alone and as a `whole` with what was before."""

    wanted: Topology
    whole: Topology
    secrets: dict[str, Secret] = field(repr=False)
    files: Files


def _say_drained(before: Topology, new: Topology) -> None:
    theirs = {each.name: each for each in before.listeners}
    everywhere = _of_all_listeners(before) != _of_all_listeners(new)
    for listener in new.listeners:
        old = theirs.pop(listener.name, None)
        if old is not None and (everywhere or _static(old) != _static(listener)):
            log.warning("listener %s has changed: its connections are drained", listener.name)
    for name in theirs:
        log.warning("listener %s is gone: its connections are drained", name)


def _of_all_listeners(of: Topology) -> tuple[object, ...]:
    # A filter may read the whole of what a user adds.
    own = of.own.http_filters
    return of.limits, of.response_headers, of.access_log, of.count_tokens, of.tracing, own


def _static(listener: AgentListener) -> AgentListener:
    """Return what of a listener cannot change without a drain."""
    return replace(listener, routes=())
