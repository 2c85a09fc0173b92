"""W3C trace context: reading and starting `traceparent` (https://www.w3.org/TR/trace-context/)."""

from __future__ import annotations

import random
import re
from typing import Final

_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)

_ids: Final = random.Random()  # noqa: S311 - ids are to differ, and no secret
"""Seeded by the system: asking it for each request would be a call of the kernel."""


def trace_id(traceparent: str | None) -> str | None:
    """Return the trace id of a header, or None where it is absent or not valid."""
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent is not None else None
    return match[1] if match is not None else None


def is_sampled(traceparent: str) -> bool:
    """Tell whether who started a trace wants its spans; the header must be valid."""
    return bool(int(traceparent[53:55], 16) & 1)


def start(*, sampled: bool = False) -> str:
    """Return a header that starts a trace."""
    ids = f"{_ids.getrandbits(192):048x}"
    return f"00-{ids[:32]}-{ids[32:]}-0{int(sampled)}"
