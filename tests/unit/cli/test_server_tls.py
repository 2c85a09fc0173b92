from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from extproc.certificates import ServerTls
from extproc.cli.failures import NOT_STARTED, USAGE, Failure
from extproc.cli.server_tls import server_tls
from tests.certificates import issue


@pytest.fixture
def pem(tmp_path: Path) -> dict[str, str]:
    authority = trustme.CA()
    issued = issue(authority, "processor.test")
    contents = {
        "certificate": issued.chain,
        "key": issued.key,
        "client_ca": authority.cert_pem.bytes(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: str(tmp_path / name) for name in contents}


def asked(pem: dict[str, str], *names: str, bind: str = "127.0.0.1:9001") -> ServerTls | None:
    certificate, key, client_ca = (pem.get(each) for each in ("certificate", "key", "client_ca"))
    return server_tls(certificate, key, client_ca, names, bind=bind)


def test_what_was_asked_for(pem: dict[str, str]) -> None:
    assert asked({}) is None
    certificate, key, client_ca = pem.values()
    assert asked(pem, "a", "b") == ServerTls(certificate, key, client_ca, ("a", "b"))
    del pem["client_ca"]
    assert asked(pem) == ServerTls(certificate, key)


@pytest.mark.parametrize(
    ("left_out", "names", "bind", "told"),
    [
        ("key", (), "h:1", "go together"),
        ("certificate", (), "h:1", "go together"),
        ("key certificate", (), "h:1", "--tls-client-ca needs"),
        ("client_ca", ("a",), "h:1", "--tls-client-san needs --tls-client-ca"),
        ("", ("a", ""), "h:1", "--tls-client-san needs a name"),
        ("", (), "unix:/x.sock", "a unix socket"),
    ],
)
def test_what_does_not_go_together(
    pem: dict[str, str], left_out: str, names: tuple[str, ...], bind: str, told: str
) -> None:
    given = {name: file for name, file in pem.items() if name not in left_out.split()}
    with pytest.raises(Failure, match=told) as failure:
        asked(given, *names, bind=bind)
    assert failure.value.code == USAGE


@pytest.mark.parametrize("name", ["certificate", "key", "client_ca"])
def test_a_file_that_cannot_be_used(pem: dict[str, str], name: str) -> None:
    Path(pem[name]).write_text("-----BEGIN")
    with pytest.raises(Failure, match=pem[name]) as failure:
        asked(pem)
    assert failure.value.code == NOT_STARTED


def test_the_command_line_says_so_before_anything_starts(
    file: Path, outerloop: Callable[..., Any], pem: dict[str, str]
) -> None:
    serve = ("serve", "-c", str(file), "--bind", "127.0.0.1:1")
    half = outerloop(*serve, "--tls-certificate", pem["certificate"])
    assert (half.code, half.err) == (2, "outerloop: --tls-certificate and --tls-key go together\n")
    missing = outerloop(*serve, "--tls-certificate", "/missing", "--tls-key", pem["key"])
    assert (missing.code, missing.err) == (3, "outerloop: /missing: No such file or directory\n")
