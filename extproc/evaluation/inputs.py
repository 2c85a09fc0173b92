"""What the files of an evaluation share: how their faults are told."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from extproc.config.faults import path_text


class BadInput(Exception):
    """A file that cannot be used. `faults` holds a line for each fault: `file[:line]: message`."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


def read_bytes(file: Path) -> bytes:
    """Read a file, without its byte order mark. Raises BadInput."""
    try:
        return file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise BadInput([f"{file}: {error.strerror}"]) from None


def explain(error: ValidationError, place: str) -> list[str]:
    """Return a line for each thing that pydantic found, quoting no value."""
    details = error.errors(include_url=False, include_input=False)
    return [": ".join(filter(None, (place, path_text(e["loc"]), e["msg"]))) for e in details]
