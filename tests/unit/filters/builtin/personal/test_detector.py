from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.filters.builtin.personal.detector import Detector, masked
from extproc.filters.builtin.personal.spans import Kind, Span

ALL = Detector(Kind)
REGIONS = Detector(Kind, ("GB", "NO"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing in here", "nothing in here"),
        ("to a@b.com, +44 20 7946 0018", "to <email>, <phone>"),
        ("4111111111111111 or DE89 3704 0044 0532 0130 00", "<card> or <iban>"),
        ("key AKIAIOSFODNN7EXAMPLE", "key <key>"),
        ("4111111111111111@example.com", "<email>"),
    ],
)
def test_masks_all_kinds(text: str, expected: str) -> None:
    assert ALL.mask(text, "<{type}>")[0] == expected


def test_counts_what_it_masks() -> None:
    assert ALL.mask("a@b.com c@d.com +44 20 7946 0018", "")[1] == {Kind.EMAIL: 2, Kind.PHONE: 1}
    assert ALL.mask("nothing", "")[1] == {}


def test_finds_only_what_it_is_asked_for() -> None:
    assert Detector([Kind.CARD]).mask("a@b.com 4111111111111111", "*")[0] == "a@b.com *"


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ("", ""),
        ("Hello there", "Hello "),
        ("Hello there, ", "Hello there, "),
        ("in 2024 ", "in "),
        ("in 2024, ", "in 2024, "),
        ("write to john@example.com", "write to "),
        ("write to john@example.com, ", "write to john@example.com, "),
        ("call +44 20 79", "call "),
        ("the first -----BEGIN PRIVATE KEY-----\nabc", "the first "),
        ("x" * 100, "x" * 36),
    ],
)
def test_only_what_may_be_part_of_something_is_left_undecided(text: str, settled: str) -> None:
    found = ALL.find(text, final=False)
    assert text[: found.settled] == settled
    assert ALL.find(text).settled == len(text)


PIECES = [
    *("4111 1111 1111 1111", "4111111111111111", "378282246310005", "+44 20 7946 0018", "+", "("),
    *("020 7946 0018", "22 33 44 55", "(0)", "1", "20", "DE89 3704 0044 0532 0130 00", "GB82"),
    *("john@example.com", "@", "a", "é", ".", ".com", "[1.2.3.4]", "xn--abc", '"', "'", "_"),
    *("sk-", "sk-proj-aB3dEfGh1jKlMnOpQrStUv", "eyJ", "eyJabcdefg.eyJabcdefg.", "x" * 40),
    *("AKIAIOSFODNN7EXAMPLE", "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "A" * 70, "word "),
    *("-----", "-----BEGIN ", "PRIVATE KEY", "-----END PRIVATE KEY-----", "\n", " ", "-", "/", ":"),
    *("secret_access_key", "=", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "2024-01-15", "0 "),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@given(TEXTS, st.lists(st.integers(1, 60), min_size=1), st.sampled_from([ALL, REGIONS]))
def test_a_text_that_comes_in_pieces_has_the_same_in_it(
    text: str, lengths: list[int], detector: Detector
) -> None:
    spans: list[Span] = []
    settled = end = number = 0
    while end < len(text):
        end += lengths[number % len(lengths)]
        number += 1
        found = detector.find(text[:end], settled, final=False)
        assert all(settled <= span.start and span.end <= found.settled for span in found.spans)
        settled = found.settled
        spans += found.spans
    spans += detector.find(text, settled).spans
    assert spans == list(detector.find(text).spans)


@given(TEXTS, st.integers(1, 20))
def test_parts_with_masks_make_the_masked_whole(text: str, length: int) -> None:
    spans = ALL.find(text).spans
    parts = (text[at : at + length] for at in range(0, len(text), length))
    together = "".join(
        "".join(masked(part, number * length, spans, "[{type}]"))
        for number, part in enumerate(parts)
    )
    assert together == ALL.mask(text, "[{type}]")[0]


@pytest.mark.parametrize(
    "piece",
    [
        *("1", "4", "4111 ", "a@", "a@a.a", ".", "-", "(", "+1 ", "1 ", '"', " ", "sk-", ".sk-"),
        *("sk-a-1", "eyJaaaaaaa.", "GB29 ", "-----BEGIN PRIVATE KEY-----", "whsec_/", "xox"),
        *("secret_access_key=a", "SG.", "a.", "é", "\\n"),
    ],
)
@pytest.mark.parametrize("final", [True, False])
def test_long_hostile_texts_are_done_with(piece: str, final: bool) -> None:
    REGIONS.find(piece * (300_000 // len(piece)), final=final)
    REGIONS.find(f"x@{piece * 5000} secret_access_key=-----BEGIN PRIVATE KEY-----{piece}")
