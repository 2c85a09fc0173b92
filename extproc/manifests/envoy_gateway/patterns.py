"""Regular expressions of header names: RE2, which has no lookahead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator


def all_but(prefix: str, names: Iterable[str], beginnings: Iterable[str] = ()) -> str:
    """Return an expression of all names that begin with `prefix`, but those.

    Nor does it match what begins with one of `beginnings`. All have the prefix, and names are in
    lower case as Envoy has them.
    """
    ends = frozenset(name.removeprefix(prefix) for name in names)
    open_ends = frozenset(each.removeprefix(prefix) for each in beginnings)
    return re.escape(prefix) + _others(ends, open_ends)


def _others(words: frozenset[str], open_ends: frozenset[str]) -> str:
    """Return an expression of every text but those: letter by letter, as far as they agree."""
    letters = sorted({word[0] for word in words | open_ends if word})
    branches = [f"[^{''.join(map(re.escape, letters))}].*"] if letters else [".+"]
    for letter in letters:
        rest = _after(letter, open_ends)
        if "" not in rest:
            branches.append(re.escape(letter) + _others(_after(letter, words), rest))
    optional = "" if "" in words else "?"
    return f"({'|'.join(branches)}){optional}"


def _after(letter: str, words: Iterable[str]) -> frozenset[str]:
    def rests() -> Iterator[str]:
        for word in words:
            if word.startswith(letter):
                yield word[1:]

    return frozenset(rests())
