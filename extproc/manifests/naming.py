"""Names of Kubernetes objects."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_LONGEST: Final = 63
"""Of a DNS label (RFC 1123), which every kind of object accepts as its name."""
_DIGITS: Final = 8
_OTHER: Final = re.compile(r"[^a-z0-9]+")
_MARKED: Final = re.compile(rf"-[0-9a-f]{{{_DIGITS}}}$")


def object_name(*parts: str) -> str:
    """Return the parts as one DNS label, such as `outerloop-agent-weather`.

    Where the label would not give the parts back, a digest of them ends it, so that two objects
    never meet: ids may have capitals and `_`, be long, or hold the `-` that joins them. The first
    part is the same for all objects of a file; the second says what the others are, and how many.
    """
    joined = "-".join(parts)
    label = _OTHER.sub("-", joined.lower()).strip("-")
    unclear = any("-" in part for part in parts[1:-1]) or _MARKED.search(label)
    if label == joined and len(label) <= _LONGEST and not unclear:
        return label
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_DIGITS]
    return f"{label[: _LONGEST - 1 - _DIGITS].rstrip('-')}-{digest}"
