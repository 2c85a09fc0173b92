from __future__ import annotations

from pathlib import Path

import pytest

from extproc.envoyconf import trust


@pytest.fixture
def bundles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "debian.pem", tmp_path / "fedora.pem"
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setattr(trust, "_BUNDLES", (str(first), str(second)))
    return first, second


def test_the_first_bundle_that_exists_is_taken(bundles: tuple[Path, Path]) -> None:
    bundles[1].touch()
    assert trust.system_ca_file() == str(bundles[1])
    bundles[0].touch()
    assert trust.system_ca_file() == str(bundles[0])


def test_the_environment_names_another(
    bundles: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundles[0].touch()
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/corporate.pem")
    assert trust.system_ca_file() == "/etc/corporate.pem"


@pytest.mark.usefixtures("bundles")
def test_without_any_a_path_is_named_that_an_error_can_show() -> None:
    assert trust.system_ca_file() == "/etc/ssl/certs/ca-certificates.crt"
