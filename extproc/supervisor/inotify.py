"""How many files may be watched.

Envoy takes an inotify instance (inotify(7)) for each, and aborts where there is none left.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_LIMIT: Final = Path("/proc/sys/fs/inotify/max_user_instances")


class TooManyFiles(ValueError):
    """The message says how many there are, and which setting of the machine limits them."""


def require(files: int) -> None:
    """Raise `TooManyFiles` where all programs of this user together may not watch so many."""
    try:
        limit = int(_LIMIT.read_text(encoding="ascii"))
    except (OSError, ValueError):
        # Not Linux.
        return
    if files > limit:
        raise TooManyFiles(
            f"Envoy watches {files} files for this configuration (one for each key and header of "
            f"an agent, and each agent of several hosts), and this machine allows {limit}: "
            "raise the sysctl fs.inotify.max_user_instances"
        )
