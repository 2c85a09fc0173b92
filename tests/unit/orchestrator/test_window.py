from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.conversation import Api, Conversation, Message
from extproc.json_document import JsonObject
from extproc.orchestrator.window import (
    BUDGET,
    MARKER,
    MESSAGE_BUDGET,
    MESSAGES,
    TURN_BUDGET,
    shorten,
    window,
)


def conversation(*messages: Message) -> Conversation:
    return Conversation(Api.CHAT, JsonObject(b"{}", {}), None, messages)


def user(text: str) -> Message:
    return Message("user", text)


def assistant(text: str) -> Message:
    return Message("assistant", text)


def test_only_user_and_assistant_are_read() -> None:
    others = (Message(role, role) for role in ("system", "developer", "tool"))
    messages = window(conversation(user("a"), *others, assistant("b"), user("c")))
    assert messages == (user("a"), assistant("b"), user("c"))


def test_messages_without_text_are_left_out() -> None:
    assert window(conversation(user("a"), assistant(" \n"), user("b"))) == (user("a"), user("b"))
    assert window(conversation(user(""))) == ()


def test_the_last_messages_are_taken() -> None:
    messages = [user(str(number)) for number in range(100)]
    assert window(conversation(*messages)) == tuple(messages[-MESSAGES:])


def test_left_out_messages_do_not_count() -> None:
    messages = [each for n in range(50) for each in (user(str(n)), Message("tool", "result"))]
    assert len(window(conversation(*messages))) == MESSAGES


def test_it_ends_with_the_turn() -> None:
    asked = (user("a"), assistant("b"), user("c"))
    answered = (*asked, assistant("let me see"), Message("tool", "result"))
    assert window(conversation(*answered)) == window(conversation(*asked))


def test_without_a_user_the_rest_is_read() -> None:
    assert window(conversation(assistant("hello"))) == (assistant("hello"),)


def test_names_stay_behind() -> None:
    assert window(conversation(Message("user", "a", name="Ann"))) == (user("a"),)


def test_long_messages_lose_their_middle_and_the_turn_the_least() -> None:
    text = "begin" + "x" * 100_000 + "end"
    earlier, turn = window(conversation(assistant(text), user(text)))
    for message, most in ((earlier, MESSAGE_BUDGET), (turn, TURN_BUDGET)):
        assert message.text.startswith("begin")
        assert message.text.endswith("end")
        assert MARKER in message.text
        assert most - 10 <= len(message.text) <= most


@given(
    st.lists(
        st.builds(
            lambda role, text, times: Message(role, text * times),
            st.sampled_from(["user", "assistant", "tool"]),
            st.text(max_size=20),
            st.sampled_from([1, 100, 3000]),
        )
    )
)
def test_the_budget_holds_and_the_turn_is_there(messages: list[Message]) -> None:
    whole = conversation(*messages)
    chosen = window(whole)
    assert sum(len(message.text.encode()) for message in chosen) <= BUDGET
    turn = whole.turn
    if turn is not None and (text := messages[turn].text.strip()):
        assert (chosen[-1].role, chosen[-1].text[:100]) == ("user", text[:100])


@given(st.text(st.characters(exclude_categories=())), st.integers(64, 200))
def test_a_shortened_text_is_valid_and_within_its_limit(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short.encode()) <= limit
    valid = text.encode(errors="replace").decode()
    if MARKER in short and short != valid:
        begin, end = short.split(MARKER, 1)
        assert valid.startswith(begin)
        assert valid.endswith(end)
    else:
        assert short == valid


@pytest.mark.parametrize("character", ["\ud800", "é", "日", "🌧"])
def test_no_character_is_cut_in_two(character: str) -> None:
    for limit in range(64, 70):
        short = shorten(character * 100, limit)
        assert set(short) <= {*MARKER, character, "?"}
