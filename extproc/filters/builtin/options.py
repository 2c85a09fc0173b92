"""What the options of several built-in filters have in common."""

from __future__ import annotations

from pydantic import Field

from extproc.config.model.types import Section
from extproc.filters.api import REFUSED, Deny


class Refusal(Section):
    """How a filter refuses."""

    status: int = Field(REFUSED, ge=400, le=499, description="status of a refusal")
    message: str | None = Field(
        None, min_length=1, max_length=2048, description="what the client is told"
    )

    def deny(self, message: str, note: str = "") -> Deny:
        """Return the refusal, with `message` unless the file has another."""
        return Deny(self.message or message, self.status, note)
