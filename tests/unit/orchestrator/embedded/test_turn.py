from __future__ import annotations

from collections.abc import Callable
from typing import Any

from extproc.orchestrator.api import Question
from extproc.orchestrator.embedded.turn import Turn, read_turn

Ask = Callable[[Any], Question]


def read(ask: Ask, said: Any) -> Turn:
    return read_turn(ask(said).conversation, str)


def test_the_last_user_message_is_the_turn(ask: Ask) -> None:
    said = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": "again"},
    ]
    turn = read(ask, said)
    assert turn.texts == ("again",)
    assert [task.row for task in turn.coarse] == [0]


def test_a_conversation_without_a_user_says_nothing(ask: Ask) -> None:
    assert read(ask, [{"role": "system", "content": "be kind"}]).texts == ("",)


def test_parts_replace_their_clause_in_the_fine_tasks(ask: Ask) -> None:
    turn = read(ask, "Say hello. Book me a flight and find a hotel")
    assert [turn.texts[task.row] for task in turn.coarse] == [
        "Say hello",
        "Book me a flight and find a hotel",
    ]
    assert [turn.texts[task.row] for task in turn.fine] == [
        "Say hello",
        "Book me a flight",
        "find a hotel",
    ]


def test_tasks_are_marked_where_the_words_say_so(ask: Ask) -> None:
    turn = read(ask, "book a flight, then find a hotel")
    marked = turn.coarse
    unmarked = read(ask, "book a flight. find a hotel").coarse
    assert [task.marked for task in marked] == [True, True]
    assert [task.marked for task in unmarked] == [False, False]
    assert [turn.counted.content_words[task.row] for task in marked] == [2, 2]
    assert turn.content_words == 4


def test_the_number_of_texts_is_bounded(ask: Ask) -> None:
    said = "\n".join("one two three and four five six, seven eight nine" for _ in range(5000))
    assert len(read(ask, said).texts) < 100


def test_slips_are_corrected_before_anything(ask: Ask) -> None:
    turn = read_turn(ask("a fligth").conversation, lambda text: text.replace("gth", "ght"))
    assert turn.texts[0] == "a flight"


def test_no_text_comes_twice(ask: Ask) -> None:
    turn = read(ask, "Book a flight. Find a hotel. Book a flight.")
    assert len(turn.texts) == len(set(turn.texts)) == 3
    assert [task.row for task in turn.coarse] == [1, 2, 1]
