"""An agent's URL, taken apart into what a cluster and a route need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from extproc.envoyconf.address import bracketed

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
    def authority(self) -> str:
        """The `host` header: with a port unless it is the scheme's own."""
        host = bracketed(self.host)
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_origin(url: str) -> Origin:
    """Read the URL of an agent; a path that ends in `/v1` is an API base, so that is not doubled.

    Raises:
        ValueError: it is not an http or https URL with a host, or it carries credentials, a query
            or a fragment, which cannot be kept. The message does not quote the URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("an agent's url is http://host or https://host, with port and path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an agent's url carries no credentials; use access_key or headers")
    if parts.query or parts.fragment:
        raise ValueError("an agent's url has no query and no fragment")
    port = _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    if port == 0:
        raise ValueError("an agent's url has no port 0")
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return Origin(parts.scheme, parts.hostname, port, path)
