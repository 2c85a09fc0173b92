"""What the objects do not say, and what is left to do by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from extproc.address import parse as parse_address
from extproc.config.model.deploy import Deploy, OwnEnvoy
from extproc.config.model.root import Admin, Config
from extproc.manifests.kubernetes.calls import destinations, step_agents
from extproc.manifests.kubernetes.files import prompt_file, tls_secret
from extproc.manifests.kubernetes.network import is_loopback, is_public, is_spelled_out
from extproc.manifests.kubernetes.place import (
    ADMIN_PORT,
    ENVIRONMENT,
    FILES,
    PROCESSOR_PORT,
    named,
    release,
)
from extproc.manifests.source import Source, Unrenderable

_LARGEST_APPLIED: Final = 240 * 2**10
"""Bytes: `kubectl apply` keeps a copy of an object in an annotation of 256 KiB."""


def notes(source: Source) -> tuple[str, ...]:
    """Return the notes, each of which begins with its key. Raises `Unrenderable`."""
    config = source.config
    return (
        *_for_the_user(source),
        *_addresses(config.deploy),
        *_connections(source),
        *_of_single_pods(config),
        *_of_the_gateway(config.deploy),
    )


def _for_the_user(source: Source) -> Iterator[str]:
    """Name the objects that are the user's, as they hold what is not in the file."""
    deploy = source.config.deploy
    create = f"kubectl -n {deploy.namespace} create"
    if deploy.image is None:
        yield f"deploy.image: is not set: nodes must be able to pull outerloop-extproc:{release()}"
    if source.variables:
        secret, values = named(deploy, ENVIRONMENT), ", ".join(source.variables)
        yield f"Secret {secret}: yours to make, with the variables of the file: {values}"
    pair = tls_secret(deploy)
    if pair is not None:
        parts = "with tls.crt, tls.key and ca.crt"
        yield f"deploy.processor.tls.secret: {pair}: yours to make in {deploy.namespace}, {parts}"
    prompt = prompt_file(source)
    if prompt is not None:
        files = f"{create} configmap {named(deploy, FILES)} --from-file={prompt}"
        yield f"orchestrator.model.prompt_file: yours to make: {files}"
    if source.config.envoy != OwnEnvoy():
        yield "envoy: stands in the ConfigMap, too: name variables for what is secret in it"
    if len(source.text.encode()) > _LARGEST_APPLIED:
        yield "the file is too large for kubectl apply: add --server-side"


def _addresses(deploy: Deploy) -> Iterator[str]:
    key = "deploy.processor.addresses"
    for text in deploy.processor.addresses:
        if text.startswith("unix:"):
            raise Unrenderable(
                f"{key}: a unix socket is in the pod of the gateway: see docs/deploy/sidecar.md"
            )
        if not str(parse_address(text)).endswith(f":{PROCESSOR_PORT}"):
            yield f"{key}: {text}: the Services listen on {PROCESSOR_PORT}"


def _connections(source: Source) -> Iterator[str]:
    """Say of which connections the NetworkPolicy does not know enough."""
    for each in destinations(source.config):
        host, port = each.origin.host, each.origin.port
        if is_loopback(each.origin):
            yield f"{each.key}: is a loopback address, and with it the pod itself"
        elif not is_spelled_out(each.origin, source.text):
            yield f"{each.key}: comes from a variable: add its address to the NetworkPolicy"
        elif is_public(each.origin):
            yield (
                f"{each.key}: a NetworkPolicy knows no names: all public addresses are allowed on "
                f"port {port}; where {host} is a private one, add it"
            )
    for filter_ in source.config.filters:
        if filter_.use is not None and filter_.use not in _BUILT_IN:
            yield (
                f"filters: {filter_.id}: use: the image must have it; where it connects to "
                "something, add that to the NetworkPolicy"
            )


_BUILT_IN: Final = frozenset(
    ("header_tags", "limits", "pii", "prompt_injection", "rewrite", "topics")
)


def _of_single_pods(config: Config) -> Iterator[str]:
    """Name what a processor cannot do, or does by itself, where there are several."""
    if config.egress.url is None:
        for agent in step_agents(config):
            if agent.cluster is not None:
                yield (
                    f"agents: {agent.id}: cluster: pods cannot call it before the last agent of a "
                    "plan: set egress.url"
                )
            elif agent.tls.ca is not None or agent.tls.certificate is not None:
                yield (
                    f"agents: {agent.id}: tls: is the gateway's: before the last agent of a plan, "
                    "pods call it by the authorities of their image: set egress.url"
                )
    if config.orchestrator.avoid_unavailable:
        yield "orchestrator.avoid_unavailable: has no effect beside a gateway"
    if config.orchestrator.session.header is not None:
        yield "orchestrator.session.header: each pod remembers sessions for itself"
    if config.admin != Admin():
        yield f"admin: has no effect: pods listen on 0.0.0.0:{ADMIN_PORT}"


def _of_the_gateway(deploy: Deploy) -> Iterator[str]:
    yield (
        "listeners, agents: the gateway is not part of this target: render envoy-gateway, istio "
        f"or envoy-snippet; other Envoys connect with the pod label {deploy.name}-client: "
        '"true" alone'
    )
