"""TLS towards agents and clients."""

from __future__ import annotations

from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.google.protobuf import Any, Struct

from extproc.address import is_ip
from extproc.envoyconf.files import Folder, certificate_secret, client_ca_secret
from extproc.envoyconf.resources.hosts import TLS_HOST_KEY
from extproc.envoyconf.resources.sources import secret_source
from extproc.envoyconf.topology import AgentListener
from extproc.envoyconf.upstreams import ClientTls, UpstreamCluster


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
    return core.TransportSocket(name="envoy.transport_sockets.tls", typed_config=Any.pack(context))


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
    return core.TransportSocket(name="envoy.transport_sockets.tls", typed_config=Any.pack(context))


def _subject(host: str) -> tls.SubjectAltNameMatcher:
    kind = tls.SubjectAltNameMatcherSanType
    return tls.SubjectAltNameMatcher(
        san_type=kind.IP_ADDRESS if is_ip(host) else kind.DNS,
        matcher=matcher.StringMatcher(exact=host),
    )


def _client_certificates(ours: ClientTls) -> list[tls.TlsCertificate]:
    if ours.certificate is None or ours.key is None:
        return []
    return [_certificate(ours.certificate, ours.key)]


def _certificate(chain: str, key: str) -> tls.TlsCertificate:
    return tls.TlsCertificate(
        certificate_chain=core.DataSource(filename=chain),
        private_key=core.DataSource(filename=key),
    )
