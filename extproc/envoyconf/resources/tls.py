"""TLS towards agents."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.google.protobuf import Any

from extproc.address import is_ip
from extproc.envoyconf.topology import ClientTls, UpstreamCluster


def upstream_tls(cluster: UpstreamCluster) -> core.TransportSocket | None:
    """Return the TLS of a cluster's connections, None for plain http.

    The certificate must be signed by the CA and name the host of the agent's url.
    """
    if cluster.tls is None:
        return None
    host = cluster.origin.host
    context = tls.UpstreamTlsContext(
        # An IP address is not a server name (RFC 6066, section 3).
        sni="" if is_ip(host) else host,
        common_tls_context=tls.CommonTlsContext(
            tls_certificates=_client_certificates(cluster.tls),
            validation_context=tls.CertificateValidationContext(
                trusted_ca=core.DataSource(filename=cluster.tls.ca),
                match_typed_subject_alt_names=[_subject(host)],
            ),
            alpn_protocols=["h2" if cluster.http2 else "http/1.1"],
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
    return [
        tls.TlsCertificate(
            certificate_chain=core.DataSource(filename=ours.certificate),
            private_key=core.DataSource(filename=ours.key),
        )
    ]
