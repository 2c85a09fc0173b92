"""Checks of `deploy`, `egress` and `envoy`."""

from __future__ import annotations

from collections.abc import Iterator

from extproc.address import PipeAddress, is_name
from extproc.address import parse as parse_address
from extproc.config.checks.finding import Finding
from extproc.config.model.deploy import ProcessorPlace
from extproc.config.model.root import Config


def check_deploy(config: Config) -> Iterator[Finding]:
    """Check what the place that is rendered for says."""
    deploy, where = config.deploy, ("deploy",)
    if deploy.max_replicas < deploy.replicas:
        message = f"must not be less than replicas, which is {deploy.replicas}"
        needs = ((*where, "replicas"), (*where, "max_replicas"))
        yield Finding((*where, "max_replicas"), message, needs=needs)
    tls = deploy.processor.tls
    if tls is not None and (tls.certificate is None) != (tls.key is None):
        at = (*where, "processor", "tls")
        yield Finding(at, "certificate and key go together", at_key=True, needs=(at,))
    yield from _sockets(deploy.processor)
    yield from _clusters(config)


def _sockets(processor: ProcessorPlace) -> Iterator[Finding]:
    """Find workers on unix sockets that Envoy would take without a word, and never reach."""
    addresses = tuple(map(parse_address, processor.addresses))
    for index, address in enumerate(addresses):
        if not isinstance(address, PipeAddress):
            continue
        at = ("deploy", "processor", "addresses", index)
        if any(map(is_name, addresses)):
            why = "Envoy leaves a unix socket out where another address is a name"
            yield Finding(at, f"{why}: give IP addresses")
        if processor.tls is not None:
            why = "the processor speaks no TLS on a unix socket"
            yield Finding(at, f"{why}: leave out `tls`, or give host:port")


def _clusters(config: Config) -> Iterator[Finding]:
    """An Envoy finds clusters by their names, and so do agents."""
    for index, cluster in enumerate(config.envoy.clusters):
        if not isinstance(cluster.get("name"), str) or not cluster["name"]:
            yield Finding(("envoy", "clusters", index), "needs a `name`")
