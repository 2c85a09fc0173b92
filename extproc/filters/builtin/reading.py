"""How built-in filters read a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from extproc.apis.api import decode
from extproc.config.model.root import Limits as RequestLimits
from extproc.conversation import Conversation
from extproc.errors import InvalidRequest
from extproc.filters.api import FilterError, Subject, Verdict
from extproc.json_scan import MAX_DEPTH
from extproc.off_loop import off_loop

_ROOMY: Final = RequestLimits(max_json_depth=MAX_DEPTH, max_conversation_messages=1_000_000)
"""The request was let in by the file's own limits before."""


def read(subject: Subject) -> Conversation:
    """Return the conversation that a request is. Raises `FilterError`."""
    try:
        return decode(subject.api, subject.body, _ROOMY)
    except InvalidRequest as error:
        raise FilterError(f"the request cannot be read: {error.message}") from None


def last_said(conversation: Conversation) -> str:
    """Return the text of the last user message, nothing where there is none."""
    turn = conversation.turn
    return "" if turn is None else conversation.messages[turn].text


async def judge(subject: Subject, by: Callable[[Subject], Verdict], *, weight: int = 2) -> Verdict:
    """Return what `by` says of a body; a large one is judged in a thread.

    `weight` is how many times as much it costs as to read the body.
    """
    return await off_loop(len(subject.body) * weight, by, subject)
