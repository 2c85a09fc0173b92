from __future__ import annotations

import pytest

from extproc.filters.api import FilterError
from extproc.filters.builtin.personal.detector import Detector, Found
from extproc.filters.builtin.personal.running import LONGEST_HELD, RunningText
from extproc.filters.builtin.personal.spans import Kind

DETECTOR = Detector(Kind)


def test_pieces_are_masked_where_a_match_starts() -> None:
    text = RunningText(DETECTOR)
    pieces = [(piece, text.add(piece)) for piece in ("to jo", "hn@example", ".com, a", "nd you")]
    assert [span.kind for span in text.look()] == ["email"]
    assert text.decided == len("to john@example.com, and ")
    assert not text.look()
    assert not text.look(final=True)
    masked = [text.masked(piece, start, "[{type}]") for piece, start in pieces]
    assert masked == ["to [email]", "", ", a", "nd you"]


def test_what_went_on_after_its_end_is_still_one_text() -> None:
    text = RunningText(DETECTOR)
    text.add("see you")
    text.look(final=True)
    text.add("rs, a@b.com ")
    (span,) = text.look()
    assert (span.start, span.end) == (11, 18)


def test_a_secret_that_was_let_go_in_part_is_a_failure() -> None:
    text = RunningText(DETECTOR)
    text.add("write to john@exam")
    text.look(final=True)
    text.add("ple.com ")
    with pytest.raises(FilterError, match="in the middle"):
        text.look()


def test_too_long_a_secret_is_a_failure() -> None:
    text = RunningText(DETECTOR)
    text.add("sk-" + "aB1" * (LONGEST_HELD // 3 - 1))
    text.look()
    text.add("aB1" * (LONGEST_HELD // 32))
    with pytest.raises(FilterError, match="more than 16384 characters"):
        text.look()


def test_a_text_that_is_only_watched_never_fails() -> None:
    text = RunningText(DETECTOR, lenient=True)
    text.add("write to john@exam")
    text.look(final=True)
    text.add("ple.com, sk-" + "aB1" * LONGEST_HELD)
    assert [span.kind for span in text.look()] == ["email"]
    assert text.decided == text.end


def test_what_is_long_and_harmless_is_no_failure() -> None:
    text = RunningText(DETECTOR)
    for piece in ("0123456789" * 20_000, "a" * 200_000, "QmFzZTY0/+" * 20_000, "1 2 3 " * 50_000):
        text.add(piece)
        text.look()
    assert text.end - text.decided < 100


class Counting(Detector):
    """Counts the characters that it looks at."""

    def __init__(self) -> None:
        super().__init__(Kind)
        self.characters = 0

    def find(self, text: str, begin: int = 0, *, final: bool = True) -> Found:
        self.characters += len(text)
        return super().find(text, begin, final=final)


@pytest.mark.parametrize("piece", ["word ", "1", "sk-a ", "a.b@c.", "a"])
def test_many_small_pieces_cost_no_more_than_their_length(piece: str) -> None:
    detector = Counting()
    text = RunningText(detector)
    for _ in range(20_000):
        text.add(piece)
        text.look()
    assert detector.characters < 20_000 * 600


def test_a_long_secret_in_small_pieces_is_not_searched_again_and_again() -> None:
    detector = Counting()
    text = RunningText(detector)
    for piece in "sk-" + "aB1" * 5000:
        text.add(piece)
        text.look()
    assert detector.characters < 2_000_000
    text.add(" ")
    text.look(final=True)
    assert text.decided == text.end
