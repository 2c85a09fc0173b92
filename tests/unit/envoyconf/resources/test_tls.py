from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls

from extproc.envoyconf.resources.tls import upstream_tls
from extproc.envoyconf.topology import Topology

Context = Callable[..., tls.UpstreamTlsContext]


@pytest.fixture
def make_context(make_topology: Callable[..., Topology]) -> Context:
    def make(url: str, **keys: Any) -> tls.UpstreamTlsContext:
        topology = make_topology({"id": "weather", "url": url, **keys})
        socket = upstream_tls(topology.upstreams[0])
        assert socket is not None
        assert socket.typed_config is not None
        context = socket.typed_config.unpack()
        assert isinstance(context, tls.UpstreamTlsContext)
        return context

    return make


def common(context: tls.UpstreamTlsContext) -> tls.CommonTlsContext:
    assert context.common_tls_context is not None
    return context.common_tls_context


def test_plain_http_has_none(make_topology: Callable[..., Topology]) -> None:
    assert upstream_tls(make_topology().upstreams[0]) is None


@pytest.mark.parametrize(
    ("url", "sni", "kind", "subject"),
    [
        ("https://api.example/v1", "api.example", "DNS", "api.example"),
        ("https://10.0.0.7", "", "IP_ADDRESS", "10.0.0.7"),
        ("https://[2001:db8::7]", "", "IP_ADDRESS", "2001:db8::7"),
    ],
)
def test_the_certificate_must_name_the_host(
    make_context: Context, url: str, sni: str, kind: str, subject: str
) -> None:
    context = make_context(url)
    assert context.sni == sni
    validation = common(context).validation_context
    assert validation is not None
    assert validation.trusted_ca is not None
    assert validation.trusted_ca.filename == "/etc/ca.pem"
    (matcher,) = validation.match_typed_subject_alt_names
    assert matcher.san_type.name == kind
    assert matcher.matcher is not None
    assert matcher.matcher.exact == subject


def test_alpn_offers_the_version_that_is_spoken(make_context: Context) -> None:
    assert common(make_context("https://a")).alpn_protocols == ["http/1.1"]
    assert common(make_context("https://a", http2=True)).alpn_protocols == ["h2"]


def test_a_client_certificate_is_named_by_its_files(make_context: Context) -> None:
    files = {"certificate": "/us.pem", "key": "/us.key"}
    (certificate,) = common(make_context("https://a", tls=files)).tls_certificates
    assert certificate.certificate_chain is not None
    assert certificate.private_key is not None
    assert certificate.certificate_chain.filename == "/us.pem"
    assert certificate.private_key.filename == "/us.key"


def test_no_client_certificate_by_default(make_context: Context) -> None:
    assert common(make_context("https://a")).tls_certificates == []
