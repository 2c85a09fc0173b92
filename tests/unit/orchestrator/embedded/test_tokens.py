from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from extproc.orchestrator.embedded.tokens import CACHED_WORDS, WordPiece

PIECES = WordPiece({"un": 0, "##aff": 1, "##able": 2, "una": 3})


def test_the_longest_piece_is_taken_first() -> None:
    assert WordPiece({"un": 0, "una": 1, "##ble": 2}).pieces("unable") == (1, 2)


def test_what_cannot_be_spelled_has_no_pieces() -> None:
    assert PIECES.pieces("unaffable") == ()
    assert PIECES.pieces("xyz") == ()


def greedy(word: str, vocabulary: dict[str, int]) -> tuple[int, ...]:
    """What `pieces` is to return, the slow way."""
    found: list[int] = []
    rest = word
    while rest:
        prefix = "##" if found else ""
        ends = [end for end in range(1, len(rest) + 1) if prefix + rest[:end] in vocabulary]
        if not ends:
            return ()
        found.append(vocabulary[prefix + rest[: ends[-1]]])
        rest = rest[ends[-1] :]
    return tuple(found)


@given(st.sets(st.text("ab", min_size=1, max_size=4)), st.text("ab", max_size=12), st.booleans())
def test_pieces_are_the_longest_whatever_they_begin_with(
    own: set[str], word: str, whole: bool
) -> None:
    vocabulary = {piece: number for number, piece in enumerate(sorted(own))}
    if not whole:
        vocabulary |= {f"##{piece}": 100 + number for piece, number in vocabulary.items()}
    assert WordPiece(vocabulary).pieces(word) == greedy(word, vocabulary)


def test_memory_is_bounded_whatever_words_come() -> None:
    for number in range(CACHED_WORDS + 100):
        PIECES.pieces(f"un{number}")
    assert PIECES.pieces.cache_info().currsize == CACHED_WORDS
