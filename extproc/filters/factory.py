"""The filters and chains that a configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from extproc.calls import Caller, Opener, Target
from extproc.config.model.filters import Filter as FilterConfig
from extproc.config.model.listeners import Listener, ListenerAgent
from extproc.config.model.root import Config
from extproc.config.targets import filter_targets
from extproc.filters.api import Filter
from extproc.filters.chain import Chain, Link
from extproc.filters.http import HttpFilter
from extproc.plugins import PluginError, load_plugin, options_model
from extproc.spans import Tracer

MCP_EXTRA: Final = "pip install 'outerloop-extproc[mcp]'"


class Way(Caller, Opener, Protocol):
    """How filters that are services are called."""


class Filters:
    """All filters of one configuration, each made once however often it is named.

    `services` must be entered before the first request: sessions that are kept open.
    Raises ValueError where a filter cannot be made.
    """

    def __init__(self, config: Config, way: Way, tracer: Tracer) -> None:
        self._configs = {each.id: each for each in config.filters}
        self._max_bytes = config.limits.max_response_bytes
        self._targets = filter_targets(config)
        self._way = way
        self._tracer = tracer
        self.services: list[AbstractAsyncContextManager[object]] = []
        self._made: Mapping[str, Filter] = {
            each.id: self._make(each) for each in config.filters if each.id in _named(config)
        }

    def chain(self, ids: Sequence[str], agent: str = "") -> Chain:
        """Return the filters of those ids as one chain; `agent` is whose they are."""
        return Chain(tuple(self._link(self._configs[each], agent) for each in ids), self._tracer)

    def _link(self, config: FilterConfig, agent: str) -> Link:
        return Link(
            id=config.id,
            filter=self._made[config.id],
            timeout=config.timeout.total_seconds(),
            skip_failed=config.on_error == "skip",
            shadow=config.mode == "shadow",
            whole=config.stream == "whole",
            forwards=frozenset(config.forward_headers),
            agent=agent,
        )

    def _make(self, config: FilterConfig) -> Filter:
        timeout = config.timeout.total_seconds()
        if config.type == "builtin":
            return _plugin(config)
        target: Target = self._targets[config.id]
        if config.type == "http":
            return HttpFilter(target, self._way, timeout=timeout, max_bytes=self._max_bytes)
        try:
            from extproc.filters.mcp import McpFilter
        except ImportError as error:
            raise ValueError(f"filter {config.id}: MCP filters need: {MCP_EXTRA}") from error
        made = McpFilter(
            target,
            config.tool or config.id,
            self._way,
            timeout=timeout,
            max_bytes=self._max_bytes,
        )
        self.services.append(made)
        return made


def _plugin(config: FilterConfig) -> Filter:
    try:
        factory = load_plugin(config.use or "")
        model = options_model(factory)
        options = config.options if model is None else model.model_validate(config.options)
        made: Filter = factory(options)
    except PluginError as error:
        raise ValueError(f"filter {config.id}: {error}") from error
    except Exception as error:
        # Whatever a plug-in raises: its text may quote its options.
        raise ValueError(f"filter {config.id}: cannot be made: {type(error).__name__}") from error
    return made


def _named(config: Config) -> frozenset[str]:
    """Return the filters that some chain names: no other is made, or loads its library."""
    owners: list[Listener | ListenerAgent] = [*config.listeners]
    owners += (agent for each in config.listeners for agent in each.agents)
    return frozenset(id_ for each in owners for id_ in (*each.input_filters, *each.output_filters))
