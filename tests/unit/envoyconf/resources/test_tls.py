from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls

from extproc.envoyconf.resources.tls import processor_secrets, processor_tls, upstream_tls
from extproc.envoyconf.topology import Topology
from extproc.envoyconf.upstreams import ProcessorTls

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


class TestProcessor:
    @pytest.fixture
    def make(self, make_topology: Callable[..., Topology]) -> Context:
        def context(san: str = "processor.test", **files: str) -> tls.UpstreamTlsContext:
            ours = ProcessorTls("/ca.crt", **files, san=san)
            socket = processor_tls(replace(make_topology(), processor_tls=ours))
            assert socket is not None
            assert socket.typed_config is not None
            made = socket.typed_config.unpack()
            assert isinstance(made, tls.UpstreamTlsContext)
            return made

        return context

    def test_none_unless_asked_for(self, make_topology: Callable[..., Topology]) -> None:
        assert processor_tls(make_topology()) is None

    @pytest.mark.parametrize(
        ("san", "sni", "kind"),
        [
            ("processor.test", "processor.test", "DNS"),
            ("spiffe://test/ns/a/sa/outerloop", "", "URI"),
            ("10.0.0.7", "", "IP_ADDRESS"),
            ("2001:db8::7", "", "IP_ADDRESS"),
        ],
    )
    def test_its_certificate_must_have_the_name(
        self, make: Context, san: str, sni: str, kind: str
    ) -> None:
        context = make(san)
        assert context.sni == sni
        combined = common(context).combined_validation_context
        assert combined is not None
        assert combined.default_validation_context is not None
        (matcher,) = combined.default_validation_context.match_typed_subject_alt_names
        assert (matcher.san_type.name, matcher.matcher and matcher.matcher.exact) == (kind, san)

    def test_its_authority_is_a_secret_so_that_it_is_read_again(self, make: Context) -> None:
        combined = common(make()).combined_validation_context
        assert combined is not None
        secret = combined.validation_context_sds_secret_config
        assert secret is not None
        assert secret.name == "processor-ca"
        assert common(make()).tls_certificate_sds_secret_configs == []

    def test_so_is_what_envoy_shows(self, make: Context) -> None:
        (secret,) = common(
            make(certificate="/tls.crt", key="/tls.key")
        ).tls_certificate_sds_secret_configs
        assert secret.name == "processor-certificate"

    def test_secrets_name_files(self) -> None:
        (ca,) = processor_secrets(ProcessorTls("/ca.crt", san="a"))
        assert ca.validation_context is not None
        assert ca.validation_context.trusted_ca is not None
        assert (ca.name, ca.validation_context.trusted_ca.filename) == ("processor-ca", "/ca.crt")
        both = processor_secrets(ProcessorTls("/ca.crt", "/tls.crt", "/tls.key", san="a"))
        certificate = both[1].tls_certificate
        assert certificate is not None
        assert certificate.certificate_chain is not None
        assert certificate.private_key is not None
        assert certificate.certificate_chain.filename == "/tls.crt"
        assert certificate.private_key.filename == "/tls.key"
        assert [each.name for each in both] == ["processor-ca", "processor-certificate"]

    def test_connections_are_http_2_by_the_newest_tls_and_none_is_resumed(
        self, make: Context
    ) -> None:
        context = make()
        assert common(context).alpn_protocols == ["h2"]
        params = common(context).tls_params
        assert params is not None
        assert params.tls_minimum_protocol_version.name == "TLSv1_3"
        assert params.tls_maximum_protocol_version.name == "TLSv1_3"
        assert context.max_session_keys == 0
