"""Where an Envoy asks the processor: its connection managers that have our filter, taken apart."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from extproc import names
from extproc.doctor.envoy import dump as dumps
from extproc.doctor.envoy.dump import Json, kind_of

_MANAGER: Final = "HttpConnectionManager"
_EXT_PROC: Final = "ExternalProcessor"
_MATCHER: Final = "ExtensionWithMatcher"


@dataclass(frozen=True, slots=True)
class HttpFilter:
    """One of a connection manager's, with its own configuration: unwrapped, or as discovered.

    `conditional` ones are skipped for some requests.
    """

    name: str
    config: Json = field(repr=False)
    disabled: bool = False
    conditional: bool = False

    @property
    def kind(self) -> str:
        """The last word of its type: `Buffer`, `ExternalProcessor`."""
        return kind_of(self.config).rpartition(".")[2]

    @property
    def modes(self) -> Mapping[str, str]:
        """The processing mode of an ext_proc filter; phases at their default are left out."""
        return dict(self.config.get("processing_mode", {}))


@dataclass(frozen=True, slots=True)
class Attachment:
    """A connection manager that asks the processor for decisions.

    `deciding` are those of its `filters` that ask, in their order. `clusters` are all of Envoy's.
    """

    listener: Json = field(repr=False)
    manager: Json = field(repr=False)
    filters: tuple[HttpFilter, ...]
    deciding: tuple[HttpFilter, ...]
    routes: tuple[Json, ...] = field(repr=False)
    clusters: Mapping[str, Json] = field(repr=False)

    @property
    def name(self) -> str:
        """The listener's."""
        return str(self.listener.get("name", ""))

    @property
    def mutations(self) -> tuple[Json, ...]:
        """What is done to request headers before a route is chosen."""
        extensions = self.manager.get("early_header_mutation_extensions", ())
        return tuple(
            mutation
            for extension in extensions
            for mutation in extension.get("typed_config", {}).get("mutations", ())
        )

    @property
    def told_listener(self) -> str | None:
        """The name that the processor is told of this listener."""
        for mutation in self.mutations:
            header = mutation.get("append", {}).get("header", {})
            if header.get("key", "").lower() == names.HEADER_LISTENER:
                return str(header.get("value", ""))
        return None


def attachments(dump: Json) -> tuple[Attachment, ...]:
    """Return where the processor is asked. Raises LookupError, TypeError and AttributeError."""
    discovered, clusters = dumps.discovered_filters(dump), dumps.clusters(dump)
    found = []
    for listener in dumps.listeners(dump):
        for manager in _managers(listener):
            filters = tuple(_filter(each, discovered) for each in manager.get("http_filters", ()))
            table = _route_table(manager, dump)
            hosts = tuple(table.get("virtual_hosts", ()))
            routes = tuple(route for host in hosts for route in host.get("routes", ()))
            deciding = _deciding(filters, (table, *hosts, *routes))
            if deciding:
                found.append(Attachment(listener, manager, filters, deciding, routes, clusters))
    return tuple(found)


def of_listener(found: tuple[Attachment, ...], listener: str | None) -> tuple[Attachment, ...]:
    """Leave those to one of our listeners, where the gateway tells listeners apart at all."""
    mine = tuple(each for each in found if listener is not None and each.told_listener == listener)
    return mine or found


def _managers(listener: Json) -> Iterator[Json]:
    chains = [*listener.get("filter_chains", ()), listener.get("default_filter_chain", {})]
    for chain in chains:
        for network_filter in chain.get("filters", ()):
            config = network_filter.get("typed_config", {})
            if kind_of(config).endswith(_MANAGER):
                yield config


def _filter(entry: Json, discovered: Mapping[str, Json]) -> HttpFilter:
    name = str(entry.get("name", ""))
    config = entry.get("typed_config") or discovered.get(name, {})
    conditional = kind_of(config).endswith(_MATCHER)
    if conditional:
        config = config.get("extension_config", {}).get("typed_config", {})
    return HttpFilter(name, config, bool(entry.get("disabled")), conditional)


def _route_table(manager: Json, dump: Json) -> Json:
    name = manager.get("rds", {}).get("route_config_name")
    return manager.get("route_config") or dumps.route_configs(dump).get(str(name), {})


def _deciding(filters: tuple[HttpFilter, ...], places: tuple[Json, ...]) -> tuple[HttpFilter, ...]:
    """Return the filters that ask for decisions: ours, where others ask other processors.

    `places` may enable those that are disabled: routes, and what they stand in.
    """
    enabled = {name for place in places for name in place.get("typed_per_filter_config", ())}
    asking = [
        each
        for each in filters
        if each.kind == _EXT_PROC and (not each.disabled or each.name in enabled)
    ]
    ours = [each for each in asking if _is_ours(each)] or asking
    with_bodies = [each for each in ours if each.modes.get("request_body_mode", "NONE") != "NONE"]
    # One whose modes are wrong must be found too; the filter of answers sees no request at all.
    return tuple(
        with_bodies or (each for each in ours if each.modes.get("request_header_mode") != "SKIP")
    )


def _is_ours(http_filter: HttpFilter) -> bool:
    """Tell whether our name stands anywhere in it: its metadata, its rules, its cluster."""
    return "outerloop" in f"{http_filter.name} {json.dumps(http_filter.config)}".lower()


def seconds(duration: Any) -> float | None:  # noqa: ANN401 - whatever JSON gives
    """Read a duration as Envoy shows it, `0.200s`; None where there is none."""
    return float(str(duration).removesuffix("s")) if duration is not None else None
