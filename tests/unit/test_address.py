from __future__ import annotations

import pytest

from extproc.address import (
    PipeAddress,
    SocketAddress,
    bracketed,
    is_ip,
    is_loopback,
    is_name,
    parse,
)


def test_addresses_read_as_people_write_them() -> None:
    assert str(PipeAddress("/run/a.sock")) == "unix:/run/a.sock"
    assert str(SocketAddress("127.0.0.1", 80)) == "127.0.0.1:80"
    assert str(SocketAddress("::1", 80)) == "[::1]:80"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "2001:db8::7"])
def test_literals_need_no_resolving(host: str) -> None:
    assert is_ip(host)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1.example", "1", ""])
def test_names_are_not_literals(host: str) -> None:
    assert not is_ip(host)


def test_only_ipv6_is_bracketed() -> None:
    assert [bracketed(host) for host in ("::1", "127.0.0.1", "a.example")] == [
        "[::1]",
        "127.0.0.1",
        "a.example",
    ]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9001", SocketAddress("127.0.0.1", 9001)),
        ("[::1]:0", SocketAddress("::1", 0)),
        ("localhost:65535", SocketAddress("localhost", 65535)),
        ("unix:/run/o.sock", PipeAddress("/run/o.sock")),
    ],
)
def test_addresses_are_read_and_written_alike(
    text: str, address: SocketAddress | PipeAddress
) -> None:
    assert parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "9001", ":9001", "h:", "h:x", "h:65536", "h:-1", "unix:"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"host:port|path"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("p.example:1", True),
        ("localhost:1", True),
        ("10.0.0.1:1", False),
        ("[::1]:1", False),
        ("unix:/run/o.sock", False),
    ],
)
def test_names_are_what_is_resolved(text: str, named: bool) -> None:
    assert is_name(parse(text)) is named


def test_loopback_is_a_literal() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.255.255.254", "::1")))
    assert not any(map(is_loopback, ("10.0.0.1", "0.0.0.0", "::", "localhost", "[::1]", "")))
