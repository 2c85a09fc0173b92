"""Finds keys and tokens of services, by the prefix that each has, and private keys.

Nothing is looked at twice: a key starts where no letter, digit, `_` or `-` is before it, and the
pattern of each goes no further than such a run, or for private keys than the next dashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from extproc.filters.builtin.personal.spans import Kind, Span, View

_RUN: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.+/="
_ALL: Final = "[A-Za-z0-9_-]"
_STOP: Final = "(?![A-Za-z0-9_])"

_MIXED: Final = rf"(?:(?=[a-z0-9_-]*[A-Z])|(?={_ALL}*?[A-Za-z0-9]{{20}}))"
"""No name of words and hyphens, such as a class of CSS."""

_TOKEN: Final = re.compile(
    "|".join(
        (
            # OpenAI, Anthropic, OpenRouter, DeepSeek ...
            rf"sk-(?=[A-Za-z_-]*[0-9]){_MIXED}{_ALL}{{20,}}",
            r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}",  # Stripe
            r"whsec_[A-Za-z0-9+/]{24,64}={0,2}",
            rf"A(?:[KSB]I|CC)A[A-Z0-9]{{16}}{_STOP}",  # AWS
            r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}",  # GitHub
            rf"glpat-{_ALL}{{20,}}",  # GitLab
            r"xox[abeoprs]-(?=[A-Za-z-]*[0-9])[A-Za-z0-9-]{10,}",  # Slack
            r"xapp-[0-9]-[A-Za-z0-9-]{10,}",
            rf"AIza{_ALL}{{35}}(?!{_ALL})|GOCSPX-{_ALL}{{28}}|ya29\.{_ALL}{{20,}}",  # Google
            rf"hf_[A-Za-z0-9]{{30,}}|npm_[A-Za-z0-9]{{36}}{_STOP}|pypi-AgE{_ALL}{{50,}}",
            r"dop_v1_[a-f0-9]{64}",  # DigitalOcean
            rf"SG\.{_ALL}{{16,32}}\.{_ALL}{{16,64}}",  # SendGrid
            # A token of three parts, signed or not, or of five
            rf"eyJ{_ALL}{{7,}}\.(?:eyJ{_ALL}{{4,}}\.{_ALL}*|{_ALL}*(?:\.{_ALL}+){{3}})",
        )
    )
)
_HEADER: Final = r"-----BEGIN [A-Z0-9 ]{0,30}?PRIVATE KEY(?: BLOCK)?-----"
_BODY: Final = r"(?:[A-Za-z0-9+/=\s\\:,.()]|-(?!----))*+"
_LINES: Final = r"(?:[\s\\nr]{0,6}[A-Za-z0-9+/=]{16,})*+"
"""Where the end is missing, what can only be of a key."""
_PEM: Final = re.compile(rf"{_HEADER}(?:{_BODY}-----END [A-Z0-9 ]{{1,50}}-----|{_LINES})")
_OPEN_PEM: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,50}-{0,5}\Z"
    rf"|{_HEADER}{_BODY}(?:\Z|-{{1,5}}\Z|-----[A-Z0-9 ]{{1,54}}-{{0,4}}\Z)"
)

_GLUE: Final = r"""[\\"' \t]{0,6}"""
_SECRET: Final = re.compile(
    rf"[A-Za-z_]{{15,17}}?{_GLUE}[:=]{_GLUE}([A-Za-z0-9/+]{{40}})(?![A-Za-z0-9/+=])"
)
"""AWS's secret, which is known by its name only."""
_OPEN_SECRET: Final = re.compile(
    rf"[A-Za-z_]{{15,17}}?{_GLUE}(?:[:=]{_GLUE}[A-Za-z0-9/+]{{0,40}})?\Z"
)

_START: Final = re.compile(
    r"sk[-_]|rk_|whsec_|A(?:[KSB]IA|CCA|Iza)|gh[pousr]_|github_pat_|glpat-|xox|xapp-|GOCSPX-"
    r"|ya29\.|hf_|npm_|pypi-|dop_v1_|SG\.|eyJ|-----BEGIN "
    r"|secret_?[Aa]ccess_?[Kk]ey|S(?:ecret_?Access_?Key|ECRET_ACCESS_KEY)"
)
"""By the first letter, each once: a text is searched at the speed of a set of characters."""
_WORD: Final = re.compile(r"[A-Za-z0-9_-]")


def find_keys(view: View) -> Iterator[Span]:
    """Yield keys, tokens and private keys."""
    text = view.text
    last_run = len(text) if view.final else len(text.rstrip(_RUN))
    for each in _START.finditer(text, view.begin):
        start = each.start()
        if each[0][0] == "-":
            shape, is_open = _PEM, _opens(_OPEN_PEM, view, start)
        elif each[0][:2].lower() == "se":
            shape, is_open = _SECRET, _opens(_OPEN_SECRET, view, start)
        elif start and _WORD.match(text, start - 1):
            continue
        else:
            shape, is_open = _TOKEN, start >= last_run
        if is_open:
            yield Span(start, len(text), Kind.KEY, open=True)
        elif match := shape.match(text, start):
            first, end = match.span(match.lastindex or 0)
            yield Span(first, end, Kind.KEY, name=first - start)


def _opens(shape: re.Pattern[str], view: View, start: int) -> bool:
    return not view.final and shape.match(view.text, start) is not None
