"""Why something could not start."""

from __future__ import annotations


class StartError(Exception):
    """The stack cannot start (exit code 3); the message tells a person what to do."""
