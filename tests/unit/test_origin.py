from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.address import SocketAddress
from extproc.origin import Origin, parse_origin

HOSTS = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,6})?", fullmatch=True),
)
SEGMENTS = st.lists(st.from_regex(r"[a-z0-9._~%-]{1,6}", fullmatch=True), max_size=3)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://localhost:10510", Origin("http", "localhost", 10510)),
        ("http://localhost:10510/", Origin("http", "localhost", 10510)),
        ("https://api.openai.com/v1", Origin("https", "api.openai.com", 443)),
        ("https://api.openai.com/v1/", Origin("https", "api.openai.com", 443)),
        ("http://a/team/weather", Origin("http", "a", 80, "/team/weather")),
        ("http://a/team/v1", Origin("http", "a", 80, "/team")),
        ("http://a/v1/team", Origin("http", "a", 80, "/v1/team")),
        ("http://a/notv1", Origin("http", "a", 80, "/notv1")),
        ("http://[::1]:8080/x/", Origin("http", "::1", 8080, "/x")),
    ],
)
def test_a_url_is_taken_apart(url: str, origin: Origin) -> None:
    assert parse_origin(url) == origin


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://a:80", "a"),
        ("https://a:443/x", "a"),
        ("https://a:80", "a:80"),
        ("http://a:443", "a:443"),
        ("http://[::1]", "[::1]"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_the_authority_has_a_port_where_the_scheme_does_not_tell_it(
    url: str, authority: str
) -> None:
    assert parse_origin(url).authority == authority


@pytest.mark.parametrize(
    ("url", "host"),
    [("http://localhost:9", "127.0.0.1"), ("http://[::1]:9", "::1"), ("http://a:9", "a")],
)
def test_localhost_is_where_servers_listen(url: str, host: str) -> None:
    assert parse_origin(url).address == SocketAddress(host, 9)


def test_https_is_tls() -> None:
    assert parse_origin("https://a").tls
    assert not parse_origin("http://a").tls


@given(
    scheme=st.sampled_from(["http", "https"]),
    host=HOSTS,
    port=st.integers(1, 65535),
    segments=SEGMENTS,
    base=st.sampled_from(["", "/", "/v1", "/v1/"]),
)
def test_the_parts_make_the_url_again(
    scheme: str, host: str, port: int, segments: list[str], base: str
) -> None:
    prefix = "".join(f"/{segment}" for segment in segments)
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    origin = parse_origin(f"{scheme}://{authority}{prefix}{base}")
    assert (origin.scheme, origin.host, origin.port) == (scheme, host, port)
    # What is left is the prefix, but for a `/v1` of its own where no base stands behind it.
    assert origin.path_prefix == (prefix if base.strip("/") else prefix.removesuffix("/v1"))
    assert parse_origin(f"{scheme}://{origin.authority}{origin.path_prefix}/v1") == origin
