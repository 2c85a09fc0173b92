from __future__ import annotations

import pytest

from extproc import names
from extproc.conversation import Api, Conversation, Message
from extproc.json_document import parse


def conversation(*roles: str) -> Conversation:
    messages = tuple(Message(role, "") for role in roles)
    return Conversation(Api.CHAT, parse(b"{}", max_depth=1), None, messages)


def test_apis_are_their_paths() -> None:
    assert list(Api) == [names.PATH_CHAT, names.PATH_MESSAGES, names.PATH_RESPONSES]


@pytest.mark.parametrize(
    ("roles", "turn", "is_continuation"),
    [
        (["user"], 0, False),
        (["system", "user", "assistant", "user"], 3, False),
        (["user", "assistant", "tool"], 0, True),
        (["user", "assistant", "tool", "assistant"], 0, False),
        (["user", "assistant", "tool", "user"], 3, False),
        (["user", "assistant", "tool", "tool"], 0, True),
        (["system"], None, False),
        (["tool"], None, True),
        ([], None, False),
    ],
)
def test_turn_and_continuation(
    roles: list[str], turn: int | None, *, is_continuation: bool
) -> None:
    talk = conversation(*roles)
    assert talk.turn == turn
    assert talk.is_continuation is is_continuation


def test_a_conversation_that_is_shown_shows_no_prompt() -> None:
    talk = conversation()._replace(messages=(Message("user", "the secret", "ann"),))
    assert "secret" not in repr(talk)
    assert "ann" in repr(talk)
