"""Finds e-mail addresses (RFC 5321), those with Latin letters beyond ASCII too.

Each `@` is looked at by itself, and no further than an address may reach from there: the cost is
linear whatever the text.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import Final

from extproc.filters.builtin.personal.spans import Kind, Span, View

LONGEST_LOCAL: Final = 64
_LONGEST_DOMAIN: Final = 255

_LATIN: Final = "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_LETTER: Final = rf"[A-Za-z0-9{_LATIN}]"
_LETTERS: Final = "".join(
    (string.ascii_letters, string.digits, *re.findall(f"[{_LATIN}]", "".join(map(chr, range(592)))))
)
_MARKS: Final = ".%+!#$'-"
LOCAL: Final = f"{_LETTERS}_{_MARKS}"
"""Characters before the `@`: without those of RFC 5321 that mark up, quote or delimit in texts."""

_QUOTED: Final = re.compile(r'"[^"@\s\\]{1,62}"\Z')
_DOMAIN: Final = re.compile(
    rf"(?:{_LETTER}++(?:-++{_LETTER}++)*+\.)+(?:xn--[A-Za-z0-9-]{{2,59}}|[A-Za-z]{{2,63}})(?!{_LETTER})"
    r"|\[(?:IPv6:)?[0-9A-Fa-f.:]{2,39}\]"
)
_REACH: Final = re.compile(rf"\[[0-9A-Za-z.:]{{0,45}}|[A-Za-z0-9{_LATIN}.-]{{0,{_LONGEST_DOMAIN}}}")
_VERSION: Final = re.compile(r"v?[0-9]+\.[0-9]+\.")
_NO_LOCAL: Final = frozenset({"git", "this", "super"})
"""Of a clone URL (`git@github.com:...`), and of Kotlin's labels."""
_NO_TOP: Final = frozenset(
    {
        *("service", "socket", "timer", "mount", "automount", "slice", "scope", "device", "swap"),
        *("png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "json", "yaml", "yml", "tgz"),
    }
)
"""Ends of systemd's units (`getty@tty1.service`) and of files (`icon@2x.png`); none is a domain."""


def find_emails(view: View) -> Iterator[Span]:
    """Yield e-mail addresses."""
    text = view.text
    at = text.find("@", view.begin)
    while at >= 0:
        start = _local(text, at)
        if start < at:
            if not view.final and _reach(text, at + 1) == len(text):
                yield Span(start, len(text), Kind.EMAIL, open=True)
            elif end := _domain(text, start, at):
                yield Span(start, end, Kind.EMAIL)
        at = text.find("@", at + 1)


def _reach(text: str, index: int) -> int:
    match = _REACH.match(text, index)
    return match.end() if match else index


def _local(text: str, at: int) -> int:
    """Return where the part before an `@` starts, `at` where there is none."""
    before = text[max(0, at - LONGEST_LOCAL - 1) : at]
    if before.endswith('"'):
        quoted = _QUOTED.search(before)
        return at - (len(quoted[0]) if quoted and not set(quoted[0][1:-1]) - set(LOCAL) else 0)
    local = before[len(before.rstrip(LOCAL)) :]
    if len(local) > LONGEST_LOCAL or local.endswith("."):
        return at
    return at - len(local.lstrip(_MARKS))


def _domain(text: str, start: int, at: int) -> int:
    """Return where an address ends, 0 where it is none."""
    match = _DOMAIN.match(text, at + 1, at + 1 + _LONGEST_DOMAIN)
    if match is None or match.end() == at + 1 + _LONGEST_DOMAIN or _VERSION.match(match[0]):
        return 0
    if text[start:at] in _NO_LOCAL or match[0].rpartition(".")[2].lower() in _NO_TOP:
        return 0
    return match.end()
