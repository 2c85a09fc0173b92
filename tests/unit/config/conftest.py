"""Files in which `►` marks where a fault is expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from extproc.config.load import ConfigError, Fault, Loaded, loads

MARK = "►"

Expect = Callable[..., None]


def _unmarked(text: str) -> tuple[str, list[tuple[int, int]]]:
    places = []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        for nth, part in enumerate(line.split(MARK)[:-1]):
            before = sum(map(len, line.split(MARK)[:nth])) + len(part)
            places.append((number, before + 1))
    return text.replace(MARK, ""), places


def _places(faults: tuple[Fault, ...]) -> list[tuple[int, int]]:
    return [(fault.line, fault.column) for fault in faults]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters by these names are there, and take any options."""
    checks = "extproc.config.checks.filters"
    monkeypatch.setattr(f"{checks}.plugin_names", lambda: frozenset(("pii", "mine")))
    monkeypatch.setattr(f"{checks}.load_plugin", lambda _name: dict)


@pytest.fixture
def read() -> Callable[..., Loaded]:
    """Load a text without touching the process's environment."""

    def read(text: str, environ: Mapping[str, str] | None = None) -> Loaded:
        return loads(text, "file.yaml", environ or {}, Path("/base"))

    return read


@pytest.fixture
def expect_errors(read: Callable[..., Loaded]) -> Expect:
    """Load a marked text: at each mark, in order, one error with these words must be found."""

    def expect(text: str, *words: str, environ: Mapping[str, str] | None = None) -> None:
        plain, places = _unmarked(text)
        with pytest.raises(ConfigError) as caught:
            read(plain, environ)
        faults = caught.value.faults
        assert _places(faults) == places, str(caught.value)
        assert [
            word for word, fault in zip(words, faults, strict=True) if word not in fault.message
        ] == [], str(caught.value)

    return expect


@pytest.fixture
def expect_warnings(read: Callable[..., Loaded]) -> Expect:
    """As `expect_errors`, for the warnings of a file without errors."""

    def expect(text: str, *words: str, environ: Mapping[str, str] | None = None) -> None:
        plain, places = _unmarked(text)
        warnings = read(plain, environ).warnings
        shown = "\n".join(map(str, warnings))
        assert _places(warnings) == places, shown
        assert [
            word
            for word, warning in zip(words, warnings, strict=True)
            if word not in warning.message
        ] == [], shown

    return expect


@pytest.fixture
def plano_files() -> Path:
    return Path(__file__).parent / "data" / "plano"
