"""Certificates for tests: authorities, and what they sign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

_DAY = timedelta(days=1)
_CURVE = ec.SECP256R1()


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, PEM, and the serial number as Envoy tells it."""

    chain: bytes
    key: bytes
    serial: str


def issue(
    authority: trustme.CA,
    *names: str,
    expired: bool = False,
    curve: ec.EllipticCurve = _CURVE,
) -> Issued:
    """Issue a certificate for DNS names, URIs and IP addresses: trustme's own have no URIs."""
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    signer = load_pem_private_key(authority.private_key_pem.bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(curve)
    end = datetime.now(UTC) + (-_DAY if expired else _DAY)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - 3 * _DAY)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), critical=True)
        .sign(signer, hashes.SHA256())
    )
    return Issued(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        _number(certificate),
    )


def serial(authority: trustme.CA) -> str:
    """Return the serial number of an authority as Envoy tells it."""
    return _number(x509.load_pem_x509_certificate(authority.cert_pem.bytes()))


def replace(path: Path, content: bytes) -> None:
    """Write a file and rename it over what is there."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.rename(path)


def _number(certificate: x509.Certificate) -> str:
    number = f"{certificate.serial_number:x}"
    # Whole bytes.
    return number.zfill(len(number) + len(number) % 2)


def _name(name: str) -> x509.GeneralName:
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
