"""Where an OpenTelemetry collector is, and how it is spoken to (OTLP 1.x)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from extproc.origin import Origin, parse_origin

_HTTP_PORT: Final = 4318
_TRACES: Final = "/v1/traces"


@dataclass(frozen=True, slots=True)
class Collector:
    """A collector of spans. `path` is of OTLP over HTTP; None: it speaks gRPC."""

    origin: Origin
    path: str | None

    @property
    def url(self) -> str:
        """The address with scheme, host and port, and the path where there is one."""
        return f"{self.origin.scheme}://{self.origin.authority}{self.path or ''}"


def parse_collector(endpoint: str) -> Collector:
    """Read an endpoint: port 4318 or a path is OTLP over HTTP, anything else over gRPC."""
    origin = parse_origin(endpoint, api=False)
    path = urlsplit(endpoint).path.rstrip("/")
    if path or origin.port == _HTTP_PORT:
        return Collector(origin, path or _TRACES)
    return Collector(origin, None)
