"""Where something listens: what the supervisor hands out and Envoy binds or connects to."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

LARGEST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class PipeAddress:
    """A unix socket."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """A TCP host (name or IP literal without brackets) and port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


Address = PipeAddress | SocketAddress


def parse(text: str) -> Address:
    """Read `host:port`, `[v6]:port` or `unix:/path`. Raises ValueError."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path:
            raise ValueError("unix: needs a path")
        return PipeAddress(path)
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > LARGEST_PORT:
        raise ValueError("expected host:port or unix:path")
    return SocketAddress(host.removeprefix("[").removesuffix("]"), int(port))


def is_ip(host: str) -> bool:
    """True where `host` is an IPv4 or IPv6 literal, which needs no resolving."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """True where `host` is an IP literal of the machine itself."""
    return is_ip(host) and ipaddress.ip_address(host).is_loopback


def is_name(address: Address) -> bool:
    """True where Envoy must resolve `address` before it connects."""
    return isinstance(address, SocketAddress) and not is_ip(address.host)


def bracketed(host: str) -> str:
    """Write `host` as it stands in an authority: IPv6 in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]" if ":" in host else host
