from __future__ import annotations

from extproc.orchestrator.embedded.tokens import CACHED_WORDS, WordPiece

PIECES = WordPiece({"un": 0, "##aff": 1, "##able": 2, "una": 3})


def test_the_longest_piece_is_taken_first() -> None:
    assert WordPiece({"un": 0, "una": 1, "##ble": 2}).pieces("unable") == (1, 2)


def test_what_cannot_be_spelled_has_no_pieces() -> None:
    assert PIECES.pieces("unaffable") == ()
    assert PIECES.pieces("xyz") == ()


def test_memory_is_bounded_whatever_words_come() -> None:
    for number in range(CACHED_WORDS + 100):
        PIECES.pieces(f"un{number}")
    assert PIECES.pieces.cache_info().currsize == CACHED_WORDS
