from __future__ import annotations

import pytest

from extproc.address import PipeAddress, SocketAddress, bracketed, is_ip


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
