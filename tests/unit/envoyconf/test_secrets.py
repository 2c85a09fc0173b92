from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme

from extproc.certificates import Certificate
from extproc.config.model.root import Config
from extproc.envoyconf.secrets import Authorities, Text, secrets


def config(tls: dict[str, Any] | None = None, **keys: Any) -> Config:
    return Config.model_validate(
        {
            "version": "v1",
            "agents": [{"id": "a", "url": "http://h", **keys}],
            "listeners": [{"name": "l", "port": 0, "tls": tls, "agents": [{"id": "a"}]}],
        }
    )


@pytest.fixture
def pem(tmp_path: Path) -> dict[str, str]:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = {name: str(tmp_path / name) for name in ("certificate", "key", "client_ca")}
    issued.cert_chain_pems[0].write_to_path(files["certificate"])
    issued.private_key_pem.write_to_path(files["key"])
    authority.cert_pem.write_to_path(files["client_ca"])
    return files


def test_a_key_is_a_secret_in_both_forms_and_headers_are_too() -> None:
    found = secrets(config(access_key="sk-1", headers={"x-team": "t"}))
    assert found == {
        "agent-a-key": Text("sk-1"),
        "agent-a.header-x-team": Text("t"),
    }
    assert "sk-1" not in repr(found)
    assert secrets(config()) == {}


def test_certificates_are_read(pem: dict[str, str]) -> None:
    found = secrets(config(pem))
    chain, key = (Path(pem[each]).read_bytes() for each in ("certificate", "key"))
    assert found == {
        "listener-l-certificate": Certificate(chain, key),
        "listener-l-client-ca": Authorities(Path(pem["client_ca"]).read_bytes()),
    }


def test_what_envoy_could_not_use_is_said(pem: dict[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other"
    trustme.CA().issue_cert("x.invalid").private_key_pem.write_to_path(other)
    with pytest.raises(ValueError, match="other are no pair: KEY_VALUES_MISMATCH"):
        secrets(config({**pem, "key": str(other)}))
    with pytest.raises(ValueError, match="missing: No such file"):
        secrets(config({**pem, "key": "/missing"}))
    with pytest.raises(ValueError, match="key has no certificates"):
        secrets(config({**pem, "client_ca": pem["key"]}))
