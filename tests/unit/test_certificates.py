from __future__ import annotations

import os
from pathlib import Path

import pytest
import trustme

from extproc.certificates import (
    _LARGEST,
    Certificate,
    ServerTls,
    read_authorities,
    read_certificate,
)
from tests.certificates import Issued, issue


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def issued(authority: trustme.CA, tmp_path: Path) -> Issued:
    made = issue(authority, "processor.test")
    (tmp_path / "tls.crt").write_bytes(made.chain)
    (tmp_path / "tls.key").write_bytes(made.key)
    (tmp_path / "ca.crt").write_bytes(authority.cert_pem.bytes())
    return made


def test_a_pair_is_read_and_not_shown(issued: Issued, tmp_path: Path) -> None:
    read = read_certificate(str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))
    assert read == Certificate(issued.chain, issued.key)
    assert "PRIVATE" not in repr(read)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (b"", "are no pair: "),
        (b"-----BEGIN PRIVATE KEY-----\nMIGH", "are no pair: "),
        (b"x" * (_LARGEST + 1), "too large for certificates"),
        (None, "No such file"),
    ],
)
def test_a_key_that_cannot_be_used(
    issued: Issued, tmp_path: Path, written: bytes | None, reason: str
) -> None:
    del issued
    key = tmp_path / "tls.key"
    key.unlink() if written is None else key.write_bytes(written)
    with pytest.raises(ValueError, match=rf"tls\.key:? {reason}"):
        read_certificate(str(tmp_path / "tls.crt"), str(key))


def test_a_key_of_another_certificate(
    issued: Issued, authority: trustme.CA, tmp_path: Path
) -> None:
    del issued
    (tmp_path / "tls.key").write_bytes(issue(authority, "processor.test").key)
    with pytest.raises(ValueError, match="are no pair: KEY_VALUES_MISMATCH"):
        read_certificate(str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))


def test_what_never_ends_is_not_begun(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe: not a file"):
        read_authorities(str(tmp_path / "pipe"))


def test_authorities_are_one_or_several(
    issued: Issued, authority: trustme.CA, tmp_path: Path
) -> None:
    del issued
    file = tmp_path / "ca.crt"
    assert read_authorities(str(file)) == authority.cert_pem.bytes()
    both = authority.cert_pem.bytes() + trustme.CA().cert_pem.bytes()
    file.write_bytes(both)
    assert read_authorities(str(file)) == both
    # Half of the second one is not written yet.
    file.write_bytes(both[:-100])
    with pytest.raises(ValueError, match="has no certificates"):
        read_authorities(str(file))


def test_a_server_s_files_are_read_together(
    issued: Issued, authority: trustme.CA, tmp_path: Path
) -> None:
    certificate, key, client_ca = (
        str(tmp_path / each) for each in ("tls.crt", "tls.key", "ca.crt")
    )
    plain = ServerTls(certificate, key)
    assert plain.files == (certificate, key)
    assert plain.read() == (Certificate(issued.chain, issued.key), None)
    mutual = ServerTls(certificate, key, client_ca)
    assert mutual.files == (certificate, key, client_ca)
    assert mutual.read() == (Certificate(issued.chain, issued.key), authority.cert_pem.bytes())
