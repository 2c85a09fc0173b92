"""Each source file has a unit test file of its name, and each unit test file its source file."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIT_TESTS = ROOT / "tests/unit"
WHOLE_PACKAGE = {Path("test_layers.py"), Path("test_mirror.py"), Path("test_pb.py")}
"""Tests of the package as a whole, and of generated code."""


def expected() -> set[Path]:
    sources = (path.relative_to(ROOT / "extproc") for path in (ROOT / "extproc").rglob("*.py"))
    return {
        path.with_name(f"test_{path.name}")
        for path in sources
        if path.name != "__init__.py" and path.parts[0] != "_pb"
    }


def present() -> set[Path]:
    tests = {path.relative_to(UNIT_TESTS) for path in UNIT_TESTS.rglob("test_*.py")}
    return tests - WHOLE_PACKAGE


def test_each_source_file_has_its_tests() -> None:
    assert sorted(expected() - present()) == []


def test_each_test_file_has_its_source() -> None:
    assert sorted(present() - expected()) == []
