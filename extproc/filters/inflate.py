"""Undoing the content-encoding of an answer, within bounds."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from extproc.filters.api import FilterError

_CHUNK: Final = 64 * 2**10
_WBITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Window bits by encoding: 31 is gzip's header, 15 is zlib's (RFC 9110, section 8.4.1)."""
_PLAIN: Final = frozenset({"", "identity"})


class Inflater:
    """Inflates one body. Raises `FilterError` for encodings it does not know and for bad data."""

    def __init__(self, encodings: Iterable[str]) -> None:
        coded = [each for each in encodings if each not in _PLAIN]
        if len(coded) > 1 or not _WBITS.keys() >= set(coded):
            raise FilterError("the answer has a content-encoding that cannot be undone")
        self._wbits = _WBITS[coded[0]] if coded else None
        self._inflate = self._new()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the next bytes hold, in pieces of bounded size."""
        try:
            while data:
                inflate = self._inflate
                if inflate is None:
                    yield data
                    return
                yield inflate.decompress(data, _CHUNK)
                data = inflate.unconsumed_tail
                if inflate.eof:
                    # A gzip body may have several members (RFC 1952, section 2.2).
                    data = inflate.unused_data
                    self._inflate = self._new()
        except zlib.error:
            raise FilterError("the answer's content-encoding is broken") from None

    def _new(self) -> zlib._Decompress | None:
        return zlib.decompressobj(self._wbits) if self._wbits is not None else None
