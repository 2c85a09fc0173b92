"""What is wrong with a configuration, and where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

Location = tuple[str | int, ...]
"""Keys and indexes from the top of the file to a value."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One error or warning. Lines and columns count from 1; no value of the environment is shown.

    `path` names the value as in `listeners[0].agents[1].id`; it is empty for the whole file.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class ConfigError(Exception):
    """A configuration that cannot be used: all its faults and warnings, in order of position."""

    def __init__(self, faults: tuple[Fault, ...], warnings: tuple[Fault, ...] = ()) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults
        self.warnings = warnings


def path_text(location: Location) -> str:
    """Write a location as `agents[0].url`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)`, or nothing where no candidate is close."""
    close = difflib.get_close_matches(word, sorted(candidates), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Sort by position and leave out repetitions."""
    return tuple(sorted(set(faults), key=lambda f: (f.line, f.column, f.path, f.message)))
