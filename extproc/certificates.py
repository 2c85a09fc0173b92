"""Certificates in PEM files, checked before a server is given them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_LARGEST: Final = 4 * 2**20
"""Bytes: the authorities of a whole system take a tenth of it."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate chain and its key, both PEM."""

    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerTls:
    """TLS of the processor: its own certificate, and what it wants of those who call.

    Files are PEM. Without `client_ca` a client needs no certificate; else it must be signed by one
    of those authorities, and have one of `client_sans` (DNS or URI) where there are some.
    """

    certificate: str
    key: str
    client_ca: str | None = None
    client_sans: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """All of its files."""
        return (self.certificate, self.key, *((self.client_ca,) if self.client_ca else ()))

    def read(self) -> tuple[Certificate, bytes | None]:
        """Return the certificate and the authorities of clients. Raises ValueError."""
        certificate = read_certificate(self.certificate, self.key)
        return certificate, read_authorities(self.client_ca) if self.client_ca else None


def read_certificate(certificate: str, key: str) -> Certificate:
    """Read a chain and its key. Raises ValueError, naming the files, where they cannot be used."""
    read = Certificate(_read(certificate), _read(key))
    try:
        # Without a password OpenSSL would ask on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=b"")
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or "not PEM"
        raise ValueError(f"{certificate} and {key} are no pair: {reason}") from None
    return read


def read_authorities(file: str) -> bytes:
    """Read certificates of authorities. Raises ValueError, naming the file, where it has none."""
    content = _read(file)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=content.decode())
    except (ssl.SSLError, ValueError):
        raise ValueError(f"{file} has no certificates (PEM)") from None
    return content


def _read(file: str) -> bytes:
    path = Path(file)
    try:
        # What is no file may never end, or never begin.
        if path.exists() and not path.is_file():
            raise ValueError(f"{file}: not a file")
        with path.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from None
    if len(content) > _LARGEST:
        raise ValueError(f"{file}: too large for certificates")
    return content
