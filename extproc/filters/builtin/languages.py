"""Which language a text is in, as far as it can be told without guessing."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from extproc.plugins import PluginError

CODES: Final = frozenset(
    (  # noqa: SIM905 - a hundred lines otherwise
        "af am an ar as az ba be bg bn br bs ca cs cy da de dz el en eo es et eu fa fi fo fr fy "
        "ga gd gl gu ha he hi hr ht hu hy id ig is it ja jv ka kk km kn ko ku ky la lb lg ln lo "
        "lt lv mg mk ml mn mr ms mt my ne nl nn no oc om or pa pl ps pt qu ro ru rw sa se si sk "
        "sl sn so sq sr st sv sw ta te tg th tk tl tr tt ug uk ur uz vi vo wa xh yo zh zu"
    ).split()
)
"""The languages that are told apart, by their ISO 639-1 codes."""

FEWEST_LETTERS: Final = 20
"""Shorter texts are not judged. Letters count as their bytes in UTF-8: a Cyrillic one is two, a
Chinese one three, as each says more."""

_NO_LANGUAGE: Final = "zxx"
_NO_WORD: Final = re.compile(r"(?<!\S)[^\s/\\@_=<>{}]*[/\\@_=<>{}]\S*")
"""Addresses, paths and code."""
_JUDGED: Final = 10_000
"""Characters of a text that are looked at."""

# Measured on 280 requests in English and 100 in 22 other languages, many with foreign names: none
# was refused where its language was allowed, and three of four where it was not.
_UNLIKELY: Final = 0.01
_SURE: Final = 0.85
_RELATIVES: Final = 3
"""So many languages, such as Bosnian, Croatian and Serbian, may share what is sure."""
_IMPOSSIBLE: Final = 1e-6
_MORE_THAN_NOT: Final = 0.5


class Languages:
    """Tells texts in other languages than those allowed.

    Raises `PluginError` where the library for it is missing.
    """

    def __init__(self, allowed: Collection[str]) -> None:
        try:
            from py3langid.langid import (  # type: ignore[import-untyped] # it has no types
                MODEL_FILE,
                LanguageIdentifier,
            )
        except ImportError as error:
            needs = "pip install 'outerloop-extproc[languages]'"
            raise PluginError(f"filter limits: `languages` needs: {needs}") from error
        self._identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        # Dialects without such a code would take their share from the language they belong to.
        self._identifier.set_languages([*CODES, _NO_LANGUAGE])
        self._allowed = frozenset({*allowed, _NO_LANGUAGE})

    def exclude(self, text: str) -> bool:
        """Tell whether a text is surely in none of the allowed languages.

        A text whose first or last line is in one is not: the rest may be what it is about.
        """
        text = _NO_WORD.sub(" ", text[:_JUDGED]).strip()
        letters = "".join(filter(str.isalpha, text))
        if len(letters.encode()) < FEWEST_LETTERS or not self._is_foreign(text):
            return False
        lines = text.splitlines()
        return not (self._is_allowed(lines[0]) or self._is_allowed(lines[-1]))

    def _is_foreign(self, text: str) -> bool:
        ranked = self._rank(text)
        share = self._share_of(ranked)
        if share <= _IMPOSSIBLE:  # another script: which of its languages it is does not matter
            return True
        return share <= _UNLIKELY and sum(part for _, part in ranked[:_RELATIVES]) >= _SURE

    def _is_allowed(self, text: str) -> bool:
        return self._share_of(self._rank(text)) > _MORE_THAN_NOT

    def _share_of(self, ranked: Sequence[tuple[str, float]]) -> float:
        return sum(share for code, share in ranked if code in self._allowed)

    def _rank(self, text: str) -> Sequence[tuple[str, float]]:
        """Return all languages and how likely each is, the likeliest first."""
        ranked: list[tuple[str, float]] = self._identifier.rank(text)
        return ranked
