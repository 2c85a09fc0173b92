from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml


def test_the_bootstrap_is_yaml_on_standard_output(
    file: Path, outerloop: Callable[..., Any]
) -> None:
    result = outerloop("render", "-c", str(file), "--target", "bootstrap")
    assert result.code == 0
    bootstrap = yaml.safe_load(result.out)
    assert {"static_resources", "admin"} <= set(bootstrap)


def test_the_same_in_a_folder(file: Path, tmp_path: Path, outerloop: Callable[..., Any]) -> None:
    folder = tmp_path / "new" / "folder"
    printed = outerloop("render", "-c", str(file), "--target", "bootstrap").out
    result = outerloop("render", "-c", str(file), "--target", "bootstrap", "-o", str(folder))
    written = folder / "bootstrap.yaml"
    assert result.out == f"{written}\n"
    assert written.read_text() == printed


def test_a_folder_that_cannot_be_made_is_named(
    file: Path, tmp_path: Path, outerloop: Callable[..., Any]
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    result = outerloop("render", "-c", str(file), "--target", "bootstrap", "-o", str(in_the_way))
    assert result.code == 1
    assert result.err == f"outerloop: {in_the_way}: File exists\n"
