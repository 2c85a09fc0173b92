from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.orchestrator.embedded import clauses
from extproc.orchestrator.embedded.clauses import split


def texts(text: str) -> list[str]:
    return [clause.text for clause in split(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Book a flight. Find a hotel!", ["Book a flight", "Find a hotel"]),
        ("Book a flight, then find a hotel", ["Book a flight", "find a hotel"]),
        ("Book a flight and also find a hotel", ["Book a flight", "find a hotel"]),
        ("First book a flight; after that find a hotel", ["book a flight", "find a hotel"]),
        ("Book a flight, but before that check rain", ["check rain", "Book a flight"]),
        ("Find a hotel, plus a taxi. Next, check rain", ["Find a hotel", "a taxi", "check rain"]),
        ("Is it possible to also get a card", ["Is it possible to also get a card"]),
        ("Next month I move to Rome", ["Next month I move to Rome"]),
        ("One task", ["One task"]),
        ("", []),
        ("?!.", []),
    ],
)
def test_tasks_come_in_their_order(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_words_of_order_mark_both_neighbours() -> None:
    assert [clause.marked for clause in split("I like rain. Book it, then pay it")] == [
        False,
        True,
        True,
    ]


def test_and_joins_nouns_and_parts_tasks() -> None:
    assert split("bread and butter")[0].parts == ("bread and butter",)
    assert split("book a flight and a taxi")[0].parts == ("book a flight", "a taxi")
    assert split("book me a flight and find a hotel")[0].parts == (
        "book me a flight",
        "find a hotel",
    )


def test_what_stands_after_before_is_done_later() -> None:
    (clause,) = split("Before you book a room, check the weather there")
    assert clause.parts == ("check the weather there", "Before you book a room")


def test_of_a_document_both_ends_are_kept() -> None:
    clauses = texts("\n".join(f"line {number}" for number in range(1000)))
    assert clauses[0] == "line 0"
    assert clauses[-1] == "line 999"
    assert len(clauses) == 12


@given(st.text(alphabet=" \n\t,.;!and'before that then", max_size=400))
def test_every_clause_says_something(text: str) -> None:
    for clause in split(text):
        assert clause.text.strip()
        assert clause.parts


WORDS = (
    *("then", "Also", "and", "but", "before", "that", "first", "after", "in", "addition", "once"),
    *("is", "done", "next", "week", "book", "hotel", ",", ".", "!", "\n", "\t", "é"),
)


@given(st.lists(st.sampled_from(WORDS), max_size=30), st.sampled_from([" ", "", "  "]))
def test_what_is_not_looked_for_is_not_there(words: list[str], between: str) -> None:
    text = between.join(words)
    assert clauses._may_fall_apart(text) or not clauses._APART.search(text)


@given(st.text(alphabet=" \n\t\u00a0\u2028ab.", max_size=40))
def test_blanks_are_alike_but_for_the_ends_of_lines(text: str) -> None:
    even = re.sub(r"\s+", lambda blanks: "\n" if "\n" in blanks[0] else " ", text)
    assert split(text) == split(even)


def test_a_list_falls_into_few_parts() -> None:
    (clause,) = split(", ".join(["fresh bread"] * 3000))
    assert len(clause.parts) == 6
