"""Bodies that are JSON, and such that may not be."""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import strategies as st

TEXTS = st.text() | st.sampled_from(["é", "Ã©", '"', "\\", "[[{", "\ud800", "🌞", "\n"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    value = draw(st.dictionaries(TEXTS, VALUES, max_size=5))
    indent = draw(st.sampled_from([None, 0, "\t"]))
    separators = draw(st.sampled_from([None, (",", ":"), (" ,\r\n", " : ")]))
    if draw(st.booleans()):
        # Lone surrogates have no UTF-8: they stand as escapes only.
        with suppress(UnicodeEncodeError):
            text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
            return text.encode()
    return json.dumps(value, indent=indent, separators=separators).encode()


@st.composite
def damaged_bodies(draw: st.DrawFn) -> bytes:
    body = draw(bodies())
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(start + 6, len(body))))
        body = body[:start] + draw(st.sampled_from(PIECES) | st.binary(max_size=3)) + body[end:]
    return body


PIECES = [
    *(b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\x0c", b'"', b"\\", b"{}", b"[]"),
    *(b'"a"', b'"a":', b'"\\u0061":1', b'"\xc3\xa9":1', b'"\\u00e9":1', b'"\\u00c3\\u00a9":1'),
    *(b"0", b"01", b"-", b"1.", b"1e5", b"NaN", b"-Infinity", b"null", b"tru", b'"\\ud800"'),
    *(b"\xc3", b"\xa9", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc2\xa0", b"\x00"),
]
TOKENS = st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)
HOSTILE = bodies() | damaged_bodies() | TOKENS | TOKENS.map(lambda inner: b'{"m":%s}' % inner)
