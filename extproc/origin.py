"""The URL of an HTTP service, taken apart into what a cluster and a route need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from extproc.address import SocketAddress, bracketed

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a service, and the path its API lies under.

    `host` has no brackets. `path_prefix` has no trailing slash and is empty where the API lies at
    the root: a request for `/v1/messages` goes to `path_prefix + "/v1/messages"`.
    """

    scheme: str
    host: str
    port: int
    path_prefix: str = ""

    @property
    def tls(self) -> bool:
        """True for https."""
        return self.scheme == "https"

    @property
    def address(self) -> SocketAddress:
        """Where to connect to. `localhost` is IPv4, wherever it may resolve to."""
        return SocketAddress("127.0.0.1" if self.host == "localhost" else self.host, self.port)

    @property
    def authority(self) -> str:
        """The `host` header: with a port unless it is the scheme's own."""
        host = bracketed(self.host)
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_origin(url: str, *, api: bool = True) -> Origin:
    """Take apart a URL, valid as the configuration's models check it.

    A path that ends in `/v1` is the base of an `api`, so that `/v1` is not doubled.
    """
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if api:
        path = path.removesuffix("/v1").rstrip("/")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    return Origin(parts.scheme, parts.hostname or "", port, path)
