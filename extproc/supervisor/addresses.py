"""Addresses that people ask for, and whether nobody listens there yet."""

from __future__ import annotations

import errno
import socket

from extproc.address import LARGEST_PORT, Address, PipeAddress, SocketAddress
from extproc.supervisor.errors import StartError


def following(first: Address, count: int) -> tuple[Address, ...]:
    """Return `count` addresses: ports count up from the first, unix sockets get a number.

    Raises ValueError where there are not as many ports, or the first is any free one: whoever
    calls must know them.
    """
    if isinstance(first, PipeAddress):
        more = (PipeAddress(f"{first.path}.{index}") for index in range(1, count))
        return (first, *more)
    if first.port == 0 or first.port + count - 1 > LARGEST_PORT:
        raise ValueError(f"needs {count} port{'s' if count > 1 else ''} from 1 to {LARGEST_PORT}")
    return tuple(SocketAddress(first.host, first.port + index) for index in range(count))


def require_free(address: SocketAddress, owner: str) -> None:
    """Raise `StartError` naming `owner` where nobody could listen on `address` now."""
    if address.port == 0:
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
