"""Addresses that are asked for: `host:port`, `unix:path`; and whether a port is free."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import Final

from extproc.supervisor.errors import StartError

_LARGEST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Address:
    """`host:port`, or a unix socket where `path` is set."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse(text: str) -> Address:
    """Read `host:port`, `[v6]:port` or `unix:/path`. Raises ValueError."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path:
            raise ValueError("unix: needs a path")
        return Address(path=path)
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > _LARGEST_PORT:
        raise ValueError("expected host:port or unix:path")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def require_free(address: Address, owner: str) -> None:
    """Raise `StartError` naming `owner` where nobody could listen on `address` now."""
    if address.path or address.port == 0:
        return
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Envoy sets it too: connections of a stack that just ended must not look like a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            raise StartError(f"cannot listen on {address} ({owner}): {_reason(error)}") from error


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use by another process"
    return error.strerror or "not possible"
