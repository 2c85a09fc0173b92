"""JSON within a string, such as the arguments of a tool: its escapes are letters there."""

from __future__ import annotations

import re
from typing import Final

_ESCAPE: Final = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_BLANK: Final = frozenset("bfnrtu")


def blank_escapes(text: str) -> str:
    """Return a text of the same length in which escapes of JSON that are no quotes are blank.

    Else the letter of an escape would be taken for the first one of the word behind it.
    """
    return _ESCAPE.sub(_blank, text) if "\\" in text else text


def _blank(escape: re.Match[str]) -> str:
    return "\n" * len(escape[0]) if escape[0][1] in _BLANK else escape[0]
