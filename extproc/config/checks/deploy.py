"""Checks of `deploy`, `egress` and `envoy`."""

from __future__ import annotations

from collections.abc import Iterator

from extproc.config.checks.finding import Finding
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
    yield from _clusters(config)


def _clusters(config: Config) -> Iterator[Finding]:
    """An Envoy finds clusters by their names, and so do agents."""
    for index, cluster in enumerate(config.envoy.clusters):
        if not isinstance(cluster.get("name"), str) or not cluster["name"]:
            yield Finding(("envoy", "clusters", index), "needs a `name`")
