"""The Dockerfile, read as far as tests need it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Instruction(NamedTuple):
    """One instruction, on one line."""

    name: str
    text: str


@dataclass(frozen=True)
class Stage:
    """What follows one FROM."""

    base: str
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> list[str]:
        return [each.text for each in self.instructions if each.name == name]

    def copied(self) -> Iterator[str]:
        """Yield what it copies out of the repository."""
        for text in self.all("COPY"):
            if not text.startswith("--from="):
                yield from text.split()[:-1]


def arguments() -> dict[str, str]:
    """Return the ARGs and their defaults, of all stages."""
    return dict(re.findall(r"^ARG (\w+)=(\S+)$", _text(), re.MULTILINE))


def stages() -> list[Stage]:
    """Return the stages in their order."""
    found: list[list[Instruction]] = []
    for line in re.sub(r"\\\n", "", re.sub(r"(?m)^#.*\n", "", _text())).splitlines():
        name, _, text = line.partition(" ")
        if name == "FROM":
            found.append([])
        if name and found:
            found[-1].append(Instruction(name, text.strip()))
    return [Stage(first.text, tuple(rest)) for first, *rest in found]


def _text() -> str:
    return (ROOT / "Dockerfile").read_text(encoding="utf-8")
