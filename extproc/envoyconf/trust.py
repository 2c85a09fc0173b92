"""The certificate authorities this machine trusts, as a file: Envoy has no default of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_DEBIAN: Final = "/etc/ssl/certs/ca-certificates.crt"
_BUNDLES: Final = (
    _DEBIAN,
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)


def system_ca_file() -> str:
    """Return the PEM bundle: `SSL_CERT_FILE` if set, else where the distributions keep it.

    Where none is found this is Debian's path, which Envoy then names in its error.
    """
    named = os.environ.get("SSL_CERT_FILE")
    return named or next((path for path in _BUNDLES if Path(path).is_file()), _DEBIAN)
