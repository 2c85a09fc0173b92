from __future__ import annotations

from collections.abc import Mapping

import pytest

from extproc.conversation import Api, Conversation, Message
from extproc.json_document import JsonObject
from extproc.orchestrator.api import Question
from extproc.orchestrator.history import Messages, author, previous_agent
from extproc.plan import Plan, Source

ALLOWED = ("a", "b", "c")


class Local:
    """Chooses the agent that the turn names, stays for `more`, and fits nothing else."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    async def decide(self, question: Question) -> Plan:
        text = question.conversation.messages[-1].text
        self.asked.append((text, question.previous))
        agent = question.previous if text == "more" else text
        return plan(agent) if agent in ALLOWED else plan()


def plan(*agents: str) -> Plan:
    return Plan(agents, Source.EMBEDDED)


def talk(*texts: str) -> Messages:
    """Turns of the user, each but the last answered; `by x` is an answer that names its agent."""
    messages: list[Message] = []
    for text in texts:
        if text.startswith("by "):
            messages[-1] = Message("assistant", "here you are", text[3:])
        else:
            messages += [Message("user", text), Message("assistant", "here you are")]
    return tuple(messages[:-1])


def question(messages: Messages, previous: str | None) -> Question:
    conversation = Conversation(Api.CHAT, JsonObject(b"{}", {}), None, messages)
    return Question(conversation, previous=previous)


async def previous(
    messages: Messages, local: Local | None, known: Mapping[str, Plan] | None = None
) -> str | None:
    def remembered(each: Messages) -> Plan | None:
        return (known or {}).get(each[-1].text)

    return await previous_agent(messages, ALLOWED, remembered, local, question)


@pytest.mark.parametrize(
    ("texts", "agent", "asked"),
    [
        (("x",), None, []),
        (("a", "x"), "a", [("a", None)]),
        (("a", "more", "x"), "a", [("a", None), ("more", "a")]),
        (("a", "b", "x"), "b", [("a", None), ("b", "a")]),
        (("a", "thanks", "x"), "a", [("a", None), ("thanks", "a")]),
        (("a", "by c", "x"), "c", []),
        (("a", "by c", "more", "x"), "c", [("more", "c")]),
        (("a", "by stranger", "x"), "a", [("a", None)]),
    ],
)
async def test_earlier_turns_are_decided_again(
    texts: tuple[str, ...], agent: str | None, asked: list[tuple[str, str | None]]
) -> None:
    local = Local()
    assert await previous(talk(*texts), local) == agent
    assert local.asked == asked


async def test_what_is_remembered_is_not_decided_again() -> None:
    local = Local()
    found = await previous(talk("a", "b", "more", "x"), local, {"b": plan("a", "c")})
    assert (found, local.asked) == ("c", [("more", "c")])


async def test_without_a_local_strategy_only_what_is_known_counts() -> None:
    assert await previous(talk("a", "x"), None) is None
    assert await previous(talk("a", "by b", "x"), None) == "b"
    assert await previous(talk("a", "x"), None, {"a": plan("a")}) == "a"


async def test_only_the_last_turns_are_decided_again() -> None:
    local = Local()
    assert await previous(talk("a", *("more" for _ in range(30))), local) is None
    assert len(local.asked) == 8


def test_the_author_is_an_agent() -> None:
    by_a, by_nobody = Message("assistant", "", "a"), Message("assistant", "", "stranger")
    assert author((by_a, by_nobody, Message("user", "", "b")), ALLOWED) == "a"
    assert author((by_nobody,), ALLOWED) is None
