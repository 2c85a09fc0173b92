"""Who wrote what in a request, by the role of its entry and the type of its block."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, Literal

from extproc.apis.texts import texts
from extproc.json_strings import Path, strings

Role = Literal["user", "tool"]

_ENTRY: Final = 2  # ("messages", 3)
_BLOCK: Final = 4  # ("messages", 3, "content", 0)
_CONVERSATION: Final = frozenset({"messages", "input"})
_TRUSTED: Final = frozenset({"system", "developer", "assistant"})
_TOOLS: Final = frozenset({"tool", "function"})
_RESULTS: Final = frozenset({"output", "results"})
"""Members of a call that tools of the provider fill in."""


def written_by(body: bytes, roles: Collection[Role]) -> Iterator[str]:
    """Yield the texts of a checked body that writers of those roles wrote, in order.

    Whoever is not known to be a tool, the developer or the assistant is a user. The developer's
    `system`, `instructions` and `tools` are nobody's.
    """
    writers = _writers(body)
    return (each.value for each in texts(body) if _writer(each.path, writers) in roles)


def _writers(body: bytes) -> dict[Path, str]:
    """Return the writers of entries and blocks by their paths, where they say who it is."""
    writers: dict[Path, str] = {}
    for each in strings(body):
        *place, name = path = each.path
        if path[0] not in _CONVERSATION or len(place) not in (_ENTRY, _BLOCK):
            continue
        if name == "role" and len(place) == _ENTRY:
            writers[path[:-1]] = _by_role(each.value)
        elif name == "type" and each.value.endswith(("tool_result", "_output")):
            writers[path[:-1]] = "tool"
        elif name == "type" and each.value.endswith(("_call", "reasoning")):
            writers[path[:-1]] = "assistant"
    return writers


def _by_role(role: str) -> str:
    if role in _TOOLS:
        return "tool"
    return role if role in _TRUSTED else "user"


def _writer(path: Path, writers: dict[Path, str]) -> str:
    if path[0] == "prompt":
        return "user"  # the variables of a stored prompt
    if path[0] not in _CONVERSATION:
        return "developer"
    writer = writers.get(path[:_BLOCK]) or writers.get(path[:_ENTRY], "user")
    is_result = writer == "assistant" and len(path) > _ENTRY and path[_ENTRY] in _RESULTS
    return "tool" if is_result else writer
