"""What `outerloop render` can render: one function per target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Final, TypeAlias

from extproc.address import Address, SocketAddress, is_ip, parse
from extproc.cli.failures import USAGE, Failure
from extproc.config.load import Loaded
from extproc.config.model.root import Config
from extproc.envoyconf.build import Places, build
from extproc.envoyconf.files import (
    Folder,
    certificate_secret,
    header_secret,
    key_secret,
    secret_file,
)
from extproc.envoyconf.topology import Topology
from extproc.envoyconf.trust import system_ca_file
from extproc.envoyconf.upstreams import ProcessorTls
from extproc.manifests.source import Manifests, Source, Unrenderable
from extproc.origin import parse_origin

_PROCESSOR: Final = (SocketAddress("127.0.0.1", 9001),)
"""Where `outerloop serve` listens by default."""
_ENVOY_ADMIN: Final = SocketAddress("127.0.0.1", 9901)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The texts of a target's files by their names, and notes for who reads them.

    The first file is what is printed where there is no folder.
    """

    files: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be rendered: a file, the variables that it names, and the folder it goes to."""

    loaded: Loaded
    variables: tuple[str, ...] = ()
    directory: Path | None = None

    @property
    def config(self) -> Config:
        """The configuration."""
        return self.loaded.config


Target: TypeAlias = Callable[[Order], Rendered]
"""Raises `Unrenderable`, or another ValueError where the configuration does not go together."""


def _bootstrap(order: Order) -> Rendered:
    from extproc.envoyconf.render.bootstrap import render as to_text

    places = replace(_places(order.config), complete=True)
    topology = build(order.config, places)
    notes = tuple(_secrets(order.config, places.folder))
    return Rendered({"bootstrap.yaml": to_text(topology), **_processor_files(topology)}, notes)


def _snippet(order: Order) -> Rendered:
    from extproc.envoyconf.render.snippet import render as to_text

    places = _places(order.config)
    topology = build(order.config, places)
    notes = (*_left_out(order.config), *_secrets(order.config, places.folder))
    return Rendered({"envoy-snippet.yaml": to_text(topology), **_processor_files(topology)}, notes)


def _xds(order: Order) -> Rendered:
    from extproc.envoyconf.files import CLUSTERS, LISTENERS
    from extproc.envoyconf.render.bootstrap import render as to_text
    from extproc.envoyconf.render.discovery import files

    directory = order.directory
    if directory is None:
        raise Failure("xds: -o DIR is needed: it is several files, which Envoy reads there", USAGE)
    config = order.config
    folder = Folder(str(directory.absolute()), dynamic=True)
    topology = build(config, replace(_places(config), folder=folder, complete=True))
    found = files(topology, {})
    parts = {CLUSTERS: found.clusters, LISTENERS: found.listeners}
    parts |= {**found.endpoints, **found.routes, **found.secrets}
    texts = {name: each.content.decode() for name, each in parts.items()}
    notes = tuple(_secrets(config, folder, certificates=True))
    return Rendered({"bootstrap.yaml": to_text(topology), **texts}, notes)


def _places(config: Config) -> Places:
    processor = config.deploy.processor
    tls = processor.tls
    return Places(
        processor=tuple(map(parse, processor.addresses)) or _PROCESSOR,
        admin=_ENVOY_ADMIN,
        egress=_egress(config),
        processor_tls=None
        if tls is None
        else ProcessorTls(tls.ca or system_ca_file(), tls.certificate, tls.key, san=tls.san),
    )


def _processor_files(topology: Topology) -> dict[str, str]:
    """Return the secrets that Envoy reads again when their files change; no key is in them."""
    from extproc.envoyconf.render.discovery import processor_files

    return {name: each.content.decode() for name, each in processor_files(topology).items()}


def _egress(config: Config) -> Address | None:
    """Return where the rendered Envoy listens for the calls that go to `egress.url`."""
    if config.egress.url is None:
        return None
    origin = parse_origin(config.egress.url, api=False)
    address = origin.address
    if origin.tls or origin.path_prefix or not is_ip(address.host):
        raise Unrenderable(
            "egress.url: an Envoy listens on http, an IP address (or localhost) and a port"
        )
    return address


def _left_out(config: Config) -> Iterator[str]:
    """Name the keys that say something of a whole Envoy, and nothing of a part."""
    if config.limits.decompress:
        yield "limits.decompress: add envoy.filters.http.decompressor before our filters"
    if config.observability.access_log is not None:
        yield (
            "observability.access_log: the gateway has its own; for it, "
            "%DYNAMIC_METADATA(outerloop:agent)% and so on: see docs/deploy/envoy.md"
        )
    if config.tracing.otlp_endpoint is not None:
        yield "tracing: the gateway traces as it does; the processor's spans go under its own"
    if any(each.tls is not None for each in config.listeners):
        yield "listeners[].tls: the gateway has its own"
    if config.egress.url is None and any(each.fallback is not None for each in config.agents):
        yield "agents[].fallback: needs egress.url, as an agent that takes over is called there"


def _secrets(config: Config, folder: Folder, *, certificates: bool = False) -> Iterator[str]:
    """Say which files with secrets Envoy will look for: none of them is rendered."""
    for agent in config.agents:
        keys = {"access_key": key_secret(agent.id)} if agent.access_key is not None else {}
        keys |= {f"headers.{name}": header_secret(agent.id, name) for name in agent.headers}
        for key, secret in keys.items():
            yield f"agents: {agent.id}: {key} is not rendered: {_reads(folder, secret)}"
    for listener in config.listeners if certificates else ():
        if listener.tls is not None:
            secret = certificate_secret(listener.name)
            yield f"listeners: {listener.name}: tls is not rendered: {_reads(folder, secret)}"


def _reads(folder: Folder, secret: str) -> str:
    return f"Envoy reads it from {folder / secret_file(secret)}"


def _manifests(module: str) -> Target:
    def target(order: Order) -> Rendered:
        from extproc.envoyconf.render.text import as_yaml

        source = Source(order.config, order.loaded.text, order.variables)
        made: Manifests = import_module(f"extproc.manifests.{module}.render").render(source)
        text = "---\n".join(as_yaml(each) for each in made.documents)
        return Rendered({f"{module.replace('_', '-')}.yaml": text}, made.notes)

    return target


TARGETS: Final[Mapping[str, Target]] = {
    "bootstrap": _bootstrap,
    "xds": _xds,
    "envoy-snippet": _snippet,
    "envoy-gateway": _manifests("envoy_gateway"),
    "istio": _manifests("istio"),
    "kubernetes": _manifests("kubernetes"),
}
