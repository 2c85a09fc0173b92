"""What people say that is no agent's task: the negative class, and the turns between tasks."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

from extproc.orchestrator.embedded.text import DATA

_OFF_TOPIC: Final = ("small talk", "general knowledge", "everyday advice", "odd jobs", "greeting")
CLOSING: Final = "closing"
CONTINUATION: Final = "continuation"


@functools.cache
def load_background() -> Mapping[str, tuple[str, ...]]:
    """Return the sentences of `data/background.txt` by their section."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (DATA / "background.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            lines = sections.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return {name: tuple(each) for name, each in sections.items()}


def off_topic_sentences() -> list[str]:
    """Return what is said to nobody in particular: small talk, general knowledge, greetings."""
    sections = load_background()
    return [sentence for name in _OFF_TOPIC for sentence in sections[name]]
