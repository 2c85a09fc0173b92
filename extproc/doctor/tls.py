"""How doctor speaks TLS with a gateway."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: `ca` to check the gateway by (None: the system's), `certificate` with its key."""

    ca: Path | None = None
    certificate: Path | None = None

    def context(self, *protocols: str) -> ssl.SSLContext:
        """Return a new context that offers `protocols` by ALPN. Raises OSError and SSLError."""
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context
