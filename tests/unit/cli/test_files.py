from __future__ import annotations

from pathlib import Path

import pytest

from extproc.cli.failures import FAULTS, USAGE, Failure
from extproc.cli.files import pick_listener, read


def test_warnings_are_shown_and_the_file_is_used(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(file.read_text() + "model_providers: [{model: openai/gpt-4o}]\n")
    assert read(file).config.agents[0].id == "weather"
    assert "warning" in capsys.readouterr().err


def test_faults_are_shown_and_end_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing.yaml"
    with pytest.raises(Failure, match="1 fault") as failure:
        read(missing)
    assert failure.value.code == FAULTS
    assert f"{missing}:1:1: " in capsys.readouterr().err


def test_the_only_listener_need_not_be_named() -> None:
    assert pick_listener(("a",), None) == "a"
    assert pick_listener(("a", "b"), "b") == "b"


@pytest.mark.parametrize(("names", "name"), [(("a", "b"), None), (("a", "b"), "c")])
def test_which_listener_must_be_clear(names: tuple[str, ...], name: str | None) -> None:
    with pytest.raises(Failure, match="a, b") as failure:
        pick_listener(names, name)
    assert failure.value.code == USAGE
