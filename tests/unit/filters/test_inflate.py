from __future__ import annotations

import gzip
import zlib

import pytest

from extproc.filters.api import FilterError
from extproc.filters.inflate import Inflater

TEXT = b"my text " * 50_000
CODED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:]),
    "deflate": zlib.compress(TEXT),
    "identity": TEXT,
    "": TEXT,
}


@pytest.mark.parametrize("encoding", CODED)
@pytest.mark.parametrize("size", [1000, 10**7])
def test_a_body_is_inflated_in_pieces(encoding: str, size: int) -> None:
    inflater = Inflater((encoding,))
    coded = CODED[encoding]
    pieces = [
        piece
        for start in range(0, len(coded), size)
        for piece in inflater.feed(coded[start : start + size])
    ]
    assert b"".join(pieces) == TEXT
    if encoding not in {"", "identity"}:
        assert max(map(len, pieces)) <= 64 * 2**10


@pytest.mark.parametrize("encodings", [("br",), ("gzip", "gzip"), ("zstd",)])
def test_what_cannot_be_undone(encodings: tuple[str, ...]) -> None:
    with pytest.raises(FilterError):
        Inflater(encodings)


def test_what_is_broken() -> None:
    with pytest.raises(FilterError):
        list(Inflater(("gzip",)).feed(b"no gzip"))
