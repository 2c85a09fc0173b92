from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.conversation import Api, Conversation, Message
from extproc.filters.builtin.topic_judge import TopicJudge, Topics
from extproc.json_document import parse
from extproc.orchestrator.api import AgentInfo

ORDER = ("user", "Where is my parcel? It was shipped last week")
ANSWER = ("assistant", "It arrives on Monday.")


@pytest.fixture(scope="module")
def judge() -> TopicJudge:
    return TopicJudge(
        [
            AgentInfo(
                "orders",
                "Order status, shipping, delivery and tracking of parcels.",
                ("where is my order", "when will my parcel arrive", "track my shipment"),
            ),
            AgentInfo(
                "refunds",
                "Returns, refunds and money back for items that were bought.",
                ("I want my money back", "how do I return this", "refund my purchase"),
            ),
        ]
    )


Talk = Callable[..., Topics | None]


@pytest.fixture
def topics(judge: TopicJudge) -> Talk:
    def run(
        *said: tuple[str, str], api: Api = Api.CHAT, body: bytes = b"{}", refused: Any = ()
    ) -> Topics | None:
        messages = tuple(Message(role, text) for role, text in said)
        conversation = Conversation(api, parse(body, max_depth=9), None, messages)
        return judge.topics(conversation, lambda found: not set(refused).isdisjoint(found))

    return run


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("when will my package be delivered", ("orders",)),
        ("I would like a refund for these shoes", ("refunds",)),
        ("track my parcel, and then give me my money back for the shirt", ("orders", "refunds")),
        ("write a poem about the sea", ()),
        ("what is the capital of France?", ()),
        ("hello!", None),
        ("how are you?", None),
        ("", ()),
    ],
)
def test_first_turns(text: str, found: Topics | None, topics: Talk) -> None:
    assert topics(("user", text)) == found


@pytest.mark.parametrize(
    "text",
    [
        "and tomorrow?",
        "why?",
        "Sven Svensson",
        "the second one, please",
        "yes, 809",
        "thanks, that's all",
        "Can you explain the second option in more detail?",
    ],
)
def test_follow_ups_are_on_the_topic_before(text: str, topics: Talk) -> None:
    assert topics(ORDER, ANSWER, ("user", text)) == ("orders",)
    assert topics(ORDER, ANSWER, ("user", "and then?"), ANSWER, ("user", text)) == ("orders",)


@pytest.mark.parametrize(
    "text",
    [
        "write a poem about the sea",
        "who won the world cup in 2014?",
        "tell me a joke about cats",
        "help me with my math homework: solve x^2 - 5x + 6 = 0",
    ],
)
def test_another_matter_is_no_follow_up(text: str, topics: Talk) -> None:
    assert topics(ORDER, ANSWER, ("user", text)) == ()
    assert topics(ORDER, ANSWER, ("user", text), ANSWER, ("user", "make it shorter")) == ()


def test_a_turn_that_fits_a_topic_is_on_it_whatever_was_before(topics: Talk) -> None:
    assert topics(ORDER, ANSWER, ("user", "I want my money back")) == ("refunds",)


def test_a_continuation_is_judged_by_the_turn_s_user_message(topics: Talk) -> None:
    assert topics(ORDER, ("assistant", ""), ("tool", "write a poem")) == ("orders",)


def test_a_refused_turn_is_not_gone_on_with(topics: Talk) -> None:
    refund = ("user", "I want my money back")
    said = (ORDER, ANSWER, refund, ("user", "and tomorrow?"))
    assert topics(*said, refused=["refunds"]) == ("orders",)
    assert topics(*said) == ("refunds",)
    poem = ("user", "write a poem about the sea")
    assert topics(ORDER, ANSWER, poem, ("user", "and tomorrow?")) == ("orders",)


def test_only_so_many_turns_are_looked_at(topics: Talk) -> None:
    follow_up = (("user", "and then?"), ANSWER)
    assert topics(ORDER, ANSWER, *follow_up * 7, ("user", "why?")) == ("orders",)
    assert topics(ORDER, ANSWER, *follow_up * 8, ("user", "the second one, please")) == ()


@pytest.mark.parametrize("member", [b'"previous_response_id":"r"', b'"conversation":{"id":"c"}'])
def test_of_a_follow_up_on_what_a_server_keeps_nothing_is_said(member: bytes, topics: Talk) -> None:
    body = b"{%s}" % member
    follow_up, poem = ("user", "the second one, please"), ("user", "write a poem about the sea")
    assert topics(follow_up, api=Api.RESPONSES, body=body) is None
    assert topics(poem, api=Api.RESPONSES, body=body) == ()
    assert topics(follow_up, api=Api.RESPONSES) == ()
    assert topics(follow_up, api=Api.CHAT, body=body) == ()


def test_where_no_user_speaks_there_is_no_topic(topics: Talk) -> None:
    assert topics(("system", "track my parcel")) == ()
