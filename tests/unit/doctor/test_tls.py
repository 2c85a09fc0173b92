from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from extproc.doctor.tls import Tls


def test_gateways_are_checked_by_their_names() -> None:
    context = Tls().context("h2")
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_files_are_read_anew_for_each_context(tmp_path: Path) -> None:
    authority = trustme.CA()
    ca, certificate = tmp_path / "ca.pem", tmp_path / "client.pem"
    authority.cert_pem.write_to_path(str(ca))
    authority.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    tls = Tls(ca, certificate)
    assert tls.context().cert_store_stats()["x509_ca"] == 1
    certificate.write_text("no PEM")
    with pytest.raises(ssl.SSLError):
        tls.context()
    with pytest.raises(OSError, match="No such file"):
        Tls(tmp_path / "none.pem").context()
