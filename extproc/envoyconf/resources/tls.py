"""TLS towards agents, clients and the processor."""

from __future__ import annotations

from typing import TypeAlias

from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.google.protobuf import Struct

from extproc.address import is_ip
from extproc.envoyconf.files import (
    PROCESSOR_CA,
    PROCESSOR_CERTIFICATE,
    Folder,
    certificate_secret,
    client_ca_secret,
)
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.hosts import TLS_HOST_KEY
from extproc.envoyconf.resources.sources import secret_source
from extproc.envoyconf.topology import AgentListener, Topology
from extproc.envoyconf.upstreams import ClientTls, ProcessorTls, UpstreamCluster

_SanType: TypeAlias = tls.SubjectAltNameMatcherSanType


def upstream_tls(cluster: UpstreamCluster) -> core.TransportSocket | None:
    """Return the TLS of a cluster's connections, None for plain http.

    The certificate must be signed by the CA and name the host of the agent's url.
    """
    if cluster.tls is None:
        return None
    return _socket(cluster.tls, cluster.hosts[0].host, http2=cluster.http2)


def upstream_tls_by_host(
    cluster: UpstreamCluster,
) -> list[cluster_v3.ClusterTransportSocketMatch]:
    """Return the TLS of the hosts that have another name than the first one."""
    if cluster.tls is None:
        return []
    _, *others = dict.fromkeys(each.host for each in cluster.hosts)
    return [
        cluster_v3.ClusterTransportSocketMatch(
            name=host,
            match=Struct.from_dict({TLS_HOST_KEY: host}),
            transport_socket=_socket(cluster.tls, host, http2=cluster.http2),
        )
        for host in others
    ]


def downstream_tls(listener: AgentListener, folder: Folder) -> core.TransportSocket | None:
    """Return the TLS of a listener's connections, None for plain http.

    In a dynamic folder certificates are secrets, which change without a drain.
    """
    if listener.tls is None:
        return None
    with_clients = listener.tls.client_ca is not None
    common = tls.CommonTlsContext(alpn_protocols=["h2", "http/1.1"])
    if folder.dynamic:
        common.tls_certificate_sds_secret_configs = [
            secret_source(folder, certificate_secret(listener.name))
        ]
        if with_clients:
            common.validation_context_sds_secret_config = secret_source(
                folder, client_ca_secret(listener.name)
            )
    else:
        common.tls_certificates = [_certificate(listener.tls.certificate, listener.tls.key)]
        if with_clients:
            common.validation_context = tls.CertificateValidationContext(
                trusted_ca=core.DataSource(filename=listener.tls.client_ca)
            )
    context = tls.DownstreamTlsContext(
        common_tls_context=common,
        require_client_certificate=True if with_clients else None,
    )
    return core.TransportSocket(name="envoy.transport_sockets.tls", typed_config=Packed(context))


def processor_tls(topology: Topology) -> core.TransportSocket | None:
    """Return the TLS of the connections to the processor, None for plain HTTP/2.

    Its certificate must be signed by the CA and have the name that was told.
    """
    ours, folder = topology.processor_tls, topology.folder
    if ours is None:
        return None
    shown = [PROCESSOR_CERTIFICATE] if ours.certificate is not None else []
    combined = tls.CommonTlsContextCombinedCertificateValidationContext(
        default_validation_context=tls.CertificateValidationContext(
            match_typed_subject_alt_names=[_subject(ours.san)]
        ),
        validation_context_sds_secret_config=secret_source(folder, PROCESSOR_CA),
    )
    context = tls.UpstreamTlsContext(
        sni=ours.san if _kind(ours.san) is _SanType.DNS else "",
        common_tls_context=tls.CommonTlsContext(
            tls_certificate_sds_secret_configs=[secret_source(folder, each) for each in shown],
            combined_validation_context=combined,
            # As a client Envoy goes no further than 1.2 by itself.
            tls_params=tls.TlsParameters(
                tls_minimum_protocol_version=tls.TlsParametersTlsProtocol.TLSv1_3,
                tls_maximum_protocol_version=tls.TlsParametersTlsProtocol.TLSv1_3,
            ),
            alpn_protocols=["h2"],
        ),
        # Each connection is checked, not remembered: certificates end, and are taken back.
        max_session_keys=0,
    )
    return core.TransportSocket(name="envoy.transport_sockets.tls", typed_config=Packed(context))


def processor_secrets(ours: ProcessorTls) -> list[tls.Secret]:
    """Return the secrets of `processor_tls`, which name the files that they are read from.

    As secrets Envoy reads them again when others are renamed over them, or the folder's link to
    them is; those that stand in its bootstrap it never does.
    """
    trusted = tls.CertificateValidationContext(trusted_ca=core.DataSource(filename=ours.ca))
    return [
        tls.Secret(name=PROCESSOR_CA, validation_context=trusted),
        *(
            tls.Secret(name=PROCESSOR_CERTIFICATE, tls_certificate=each)
            for each in _client_certificates(ours)
        ),
    ]


def _socket(ours: ClientTls, host: str, *, http2: bool) -> core.TransportSocket:
    context = tls.UpstreamTlsContext(
        # An IP address is not a server name (RFC 6066, section 3).
        sni="" if is_ip(host) else host,
        common_tls_context=tls.CommonTlsContext(
            tls_certificates=_client_certificates(ours),
            validation_context=tls.CertificateValidationContext(
                trusted_ca=core.DataSource(filename=ours.ca),
                match_typed_subject_alt_names=[_subject(host)],
            ),
            alpn_protocols=["h2" if http2 else "http/1.1"],
        ),
    )
    return core.TransportSocket(name="envoy.transport_sockets.tls", typed_config=Packed(context))


def _subject(name: str) -> tls.SubjectAltNameMatcher:
    return tls.SubjectAltNameMatcher(
        san_type=_kind(name), matcher=matcher.StringMatcher(exact=name)
    )


def _kind(name: str) -> tls.SubjectAltNameMatcherSanType:
    if "://" in name:
        return _SanType.URI
    return _SanType.IP_ADDRESS if is_ip(name) else _SanType.DNS


def _client_certificates(ours: ClientTls) -> list[tls.TlsCertificate]:
    if ours.certificate is None or ours.key is None:
        return []
    return [_certificate(ours.certificate, ours.key)]


def _certificate(chain: str, key: str) -> tls.TlsCertificate:
    return tls.TlsCertificate(
        certificate_chain=core.DataSource(filename=chain),
        private_key=core.DataSource(filename=key),
    )
