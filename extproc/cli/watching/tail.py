"""Reading lines as they come: from bytes, and from a file that grows, is cut short or replaced."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

LONGEST: Final = 2**20
"""Bytes of a line. A line of ours has some hundreds."""

BLOCK: Final = 2**16
_FIRST_SPAN: Final = 2**18
"""Bytes from the end of a file that are looked at first; then four times as many, and so on."""

Line = str | None
"""A line without its end; None for one that is longer than `LONGEST`, which is passed over."""


class Splitter:
    """Makes lines of bytes, however they are cut. Holds no more than `LONGEST` and a block."""

    def __init__(self) -> None:
        self._begun = b""
        self._passing = False

    def feed(self, block: bytes) -> list[Line]:
        """Return the lines that end with `block`."""
        *whole, begun = block.split(b"\n")
        lines = [line for each in whole for line in self._end(each)]
        self._begun += b"" if self._passing else begun
        if len(self._begun) > LONGEST:
            self._begun, self._passing = b"", True
            lines.append(None)
        return lines

    def rest(self) -> list[Line]:
        """Return the line that nothing more comes of, where one has begun."""
        return list(self._end(b"")) if self._begun else []

    def _end(self, last: bytes) -> Iterator[Line]:
        line, self._begun = self._begun + last, b""
        if self._passing:
            self._passing = False
        elif len(line) > LONGEST:
            yield None
        else:
            yield line.removesuffix(b"\r").decode(errors="replace")


class Tail:
    """Reads a file as it grows. Start again where it is cut short, go on where it is replaced.

    One that is not there yet begins with its first line.
    """

    def __init__(self, path: Path, file: BinaryIO | None) -> None:
        self._path = path
        self._file = file
        self._lines = Splitter()

    def new(self) -> Iterator[list[Line]]:
        """Yield what has come since the last time. Raises OSError where it cannot be read."""
        if self._file is None:
            try:
                self._file = self._path.open("rb")
            except FileNotFoundError:
                return
        yield from self._grown(self._file)
        now = os.fstat(self._file.fileno())
        if now.st_size < self._file.tell():
            self._file.seek(0)
            self._lines = Splitter()
            yield from self._grown(self._file)
        elif self._is_replaced(now):
            # Once more: the writer may have gone on until the new file was there.
            yield from self._grown(self._file)
            yield self._lines.rest()
            self.close()
            yield from self.new()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
        self._file, self._lines = None, Splitter()

    def _grown(self, file: BinaryIO) -> Iterator[list[Line]]:
        while block := file.read(BLOCK):
            yield self._lines.feed(block)

    def _is_replaced(self, ours: os.stat_result) -> bool:
        """True where another file of the name has something: until then the old one is written."""
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        return not os.path.samestat(named, ours) and named.st_size > 0


def start_of_last(file: BinaryIO, count: int, wanted: Callable[[str], bool]) -> int:
    """Return where the last `count` wanted lines of a file begin; it must be seekable."""
    size = file.seek(0, os.SEEK_END)
    span = min(size, _FIRST_SPAN)
    while count:
        file.seek(size - span)
        found = deque(_wanted(file, size, wanted), maxlen=count)
        if len(found) == count:
            return found[0]
        if span == size:
            return 0
        span = min(size, span * 4)
    return size


def _wanted(file: BinaryIO, end: int, wanted: Callable[[str], bool]) -> Iterator[int]:
    """Yield where wanted lines begin, up to `end`."""
    at = file.tell()
    # What comes first within a file is the rest of a line.
    whole = at == 0
    while at < end and (line := file.readline(LONGEST)):
        ended = line.endswith(b"\n")
        if whole and (ended or len(line) < LONGEST) and wanted(line.decode(errors="replace")):
            yield at
        at += len(line)
        whole = ended
