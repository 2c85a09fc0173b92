from __future__ import annotations

import json
from itertools import pairwise

import pytest

from benchmarks.speed.requests import KIB, MARK, MIB, chat, topics


def test_a_thousand_agents_and_one_more_are_for_different_things() -> None:
    assert len(set(topics(1001))) == 1001


def test_few_agents_have_no_place_or_subject_in_common() -> None:
    assert len({topic.partition(" in ")[0] for topic in topics(20)}) == 20


@pytest.mark.parametrize("size", [KIB, 100 * KIB, MIB])
def test_a_request_has_the_size_that_is_asked_for(size: int) -> None:
    assert len(chat("taxes", size=size)) == size
    assert len(chat("taxes", size=size, distinct=True, more={"model": "a"})) == size


def test_a_request_is_as_long_as_its_messages_need() -> None:
    document = json.loads(chat("taxes", size=0, messages=10))
    assert len(document["messages"]) == 10


@pytest.mark.parametrize("messages", [1, 2, 1000])
def test_a_conversation_ends_with_the_user_and_takes_turns(messages: int) -> None:
    roles = [each["role"] for each in json.loads(chat("taxes", messages=messages))["messages"]]
    assert roles[-1] == "user"
    assert all(one != other for one, other in pairwise(roles))


def test_only_distinct_requests_have_a_place_for_a_number() -> None:
    assert chat("taxes", distinct=True).count(MARK.encode()) == 1
    assert MARK.encode() not in chat("taxes")
