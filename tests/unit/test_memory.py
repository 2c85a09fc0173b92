from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.conversation import Message
from extproc.memory import Memory, digest, message_parts


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_was_put_is_there() -> None:
    memory: Memory[int] = Memory(2, None)
    memory.put(b"a", 1)
    memory.put(b"a", 2)
    assert (memory.get(b"a"), memory.get(b"b"), len(memory)) == (2, None, 1)


def test_the_least_recently_used_leaves_first() -> None:
    memory: Memory[int] = Memory(2, None)
    for number, key in enumerate((b"a", b"b")):
        memory.put(key, number)
    memory.get(b"a")
    memory.put(b"c", 2)
    assert (memory.get(b"a"), memory.get(b"b"), memory.get(b"c")) == (0, None, 2)


def test_no_entries_remember_nothing() -> None:
    memory: Memory[int] = Memory(0, None)
    memory.put(b"a", 1)
    assert (memory.get(b"a"), len(memory)) == (None, 0)


def test_values_grow_old_from_when_they_were_put() -> None:
    clock = Clock()
    memory: Memory[int] = Memory(2, 10.0, clock)
    memory.put(b"a", 1)
    clock.now = 10.0
    assert memory.get(b"a") == 1
    clock.now = 10.1
    assert memory.get(b"a") is None
    assert len(memory) == 0


TEXTS = st.lists(st.text(alphabet=st.characters(codec=None)), max_size=4)


@given(TEXTS, TEXTS)
def test_different_texts_have_different_keys(first: list[str], second: list[str]) -> None:
    assert (digest(first) == digest(second)) == (first == second)


@pytest.mark.parametrize(
    "other", [Message("assistant", "x"), Message("user", "y"), Message("user", "x", "n")]
)
def test_all_of_a_message_is_part_of_its_key(other: Message) -> None:
    assert digest(message_parts([Message("user", "x")])) != digest(message_parts([other]))
