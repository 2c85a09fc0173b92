"""What a prompt file may hold: placeholders that the model strategy fills in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_]+)\}")
CONVERSATION: Final = "conversation"
ROUTES: Final = ("routes", "routes_with_examples", "routes_with_parameters")
"""Ways of writing the agents."""

MAX_BYTES: Final = 2**20


def check_template(text: str) -> None:
    """Raise ValueError for a placeholder that is missing or unknown.

    `{conversation}` and one of `ROUTES` must be there. Other braces stand for themselves.
    """
    found = set(PLACEHOLDER.findall(text))
    unknown = sorted(found - {CONVERSATION, *ROUTES})
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in (CONVERSATION, *ROUTES))
        raise ValueError(f"unknown placeholder {{{unknown[0]}}}; known are {known}")
    if CONVERSATION not in found:
        raise ValueError("the placeholder {conversation} is missing")
    if not found.intersection(ROUTES):
        raise ValueError("the placeholder {routes} is missing")


def read_template(path: str) -> str:
    """Read a prompt file, UTF-8, every byte of which counts. Raises ValueError."""
    file = Path(path)
    try:
        # A pipe or a device would never end.
        if file.exists() and not file.is_file():
            raise ValueError("the prompt file is not a file")
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot read the prompt file: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise ValueError("the prompt file is larger than 1 MiB")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError("the prompt file is not UTF-8") from None
    check_template(text)
    return text
