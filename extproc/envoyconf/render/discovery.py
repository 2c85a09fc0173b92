"""The files that a running Envoy reads again: clusters, hosts, listeners, routes, secrets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any as Message
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls

from extproc.config.model.deploy import OwnEnvoy
from extproc.envoyconf.files import EGRESS, File, Files, endpoints_file, routes_file, secret_file
from extproc.envoyconf.render.own import NOTHING, put_in
from extproc.envoyconf.render.text import as_json
from extproc.envoyconf.resources import bootstrap
from extproc.envoyconf.resources.clusters import has_endpoints
from extproc.envoyconf.resources.egress import egress_routes
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.hosts import grouped_assignment
from extproc.envoyconf.resources.routes import route_configuration
from extproc.envoyconf.resources.tls import processor_secrets
from extproc.envoyconf.secrets import Authorities, Secret, Text
from extproc.envoyconf.topology import Topology
from extproc.envoyconf.upstreams import UpstreamCluster

_VERSION_DIGITS: Final = 16
_CLUSTER: Final = "type.googleapis.com/envoy.config.cluster.v3.Cluster"


def files(topology: Topology, secrets: Mapping[str, Secret]) -> Files:
    """Return the files for a topology whose folder is dynamic."""
    routes = {each.name: route_configuration(each) for each in topology.listeners}
    if topology.egress is not None:
        routes[EGRESS] = egress_routes(topology.egress, topology.limits)
    apart = [
        each
        for each in topology.clusters
        if isinstance(each, UpstreamCluster) and has_endpoints(each, topology.folder)
    ]
    return Files(
        clusters=_file(bootstrap.clusters(topology), topology.own.clusters),
        endpoints={
            endpoints_file(each.name, each.shape): _file([grouped_assignment(each)])
            for each in apart
        },
        listeners=_file(bootstrap.listeners(topology), own=topology.own),
        routes={
            routes_file(name): _file([each], own=topology.own) for name, each in routes.items()
        },
        secrets={
            **{secret_file(name): _file([_secret(name, secrets[name])]) for name in secrets},
            **processor_files(topology),
        },
    )


def processor_files(topology: Topology) -> dict[str, File]:
    """Return the files of the secrets by which the processor is reached; no key is in them."""
    ours = topology.processor_tls
    secrets = processor_secrets(ours) if ours is not None else []
    return {secret_file(each.name): _file([each]) for each in secrets}


def _file(
    messages: Iterable[Message],
    others: Iterable[Mapping[str, object]] = (),
    own: OwnEnvoy = NOTHING,
) -> File:
    resources = [
        *(put_in(as_json(Packed(each)), own) for each in messages),
        *({"@type": _CLUSTER, **each} for each in others),
    ]
    version = hashlib.sha256(json.dumps(resources).encode()).hexdigest()[:_VERSION_DIGITS]
    document = {"version_info": version, "resources": resources}
    return File(version, json.dumps(document).encode())


def _secret(name: str, secret: Secret) -> tls.Secret:
    if isinstance(secret, Text):
        value = core.DataSource(inline_string=secret.value)
        return tls.Secret(name=name, generic_secret=tls.GenericSecret(secret=value))
    if isinstance(secret, Authorities):
        trusted = core.DataSource(inline_bytes=secret.certificates)
        context = tls.CertificateValidationContext(trusted_ca=trusted)
        return tls.Secret(name=name, validation_context=context)
    return tls.Secret(
        name=name,
        tls_certificate=tls.TlsCertificate(
            certificate_chain=core.DataSource(inline_bytes=secret.chain),
            private_key=core.DataSource(inline_bytes=secret.key),
        ),
    )
