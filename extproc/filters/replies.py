"""What services say when they refuse."""

from __future__ import annotations

import json
from typing import Any, Final

from extproc.filters.api import Phase

LONGEST: Final = 2048
"""Bytes of a refusal's message that a client is told."""


_MESSAGES: Final = {Phase.INPUT: "request", Phase.OUTPUT: "answer"}


def refusal_text(body: bytes, phase: Phase) -> str:
    """Return the message of a refusal, for the client.

    Of a JSON object the first text of `error.message`, `error`, `detail` and `message`, else the
    whole body as text; at most 2 KB. Of an answer only what was meant as a message: services that
    cannot read one quote it in their errors, and it is what the client must not see.
    """
    text = _text_of_json(body)
    if text is None:
        text = body.decode(errors="replace").strip() if phase is Phase.INPUT else ""
    # Cut by bytes, without half a character at the end.
    cut = text.encode(errors="replace")[:LONGEST].decode(errors="ignore")
    return cut or f"the filter refused the {_MESSAGES[phase]}"


def _text_of_json(body: bytes) -> str | None:
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    error = value.get("error")
    nested = error.get("message") if isinstance(error, dict) else None
    candidates = (nested, error, value.get("detail"), value.get("message"))
    return next((each for each in candidates if isinstance(each, str) and each), None)
