"""The agent of the turn before, as far as a conversation itself tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from extproc.conversation import Message
from extproc.orchestrator.api import Orchestrator, Question
from extproc.plan import Plan

_EARLIER_TURNS: Final = 8
"""Turns that are decided again, at most, to learn the agent of the turn before."""

Messages = tuple[Message, ...]

MakeQuestion = Callable[[Messages, str | None], Question]
"""Asks about the turn that messages end with, given the agent of the turn before it."""


async def previous_agent(
    messages: Messages,
    allowed: Sequence[str],
    remembered: Callable[[Messages], Plan | None],
    local: Orchestrator | None,
    question: MakeQuestion,
) -> str | None:
    """Return the agent of the turn before the last of `messages`, where it can be known.

    From the newest turn whose agent is known, by the name of its answer or a plan that is
    `remembered`, later turns are decided again by `local`, oldest first; without it none is.
    """
    turns = [index for index, message in enumerate(messages) if message.role == "user"]
    agent: str | None = None
    unknown: list[int] = []
    for turn, until in reversed(list(pairwise(turns))):
        agent = author(messages[turn:until], allowed)
        if agent is None:
            agent = _last(remembered(messages[: turn + 1]))
        if agent is not None or len(unknown) == _EARLIER_TURNS:
            break
        unknown.append(turn)
    if local is None:
        return agent
    for turn in reversed(unknown):
        plan = await local.decide(question(messages[: turn + 1], agent))
        agent = _last(plan) or agent
    return agent


def author(messages: Messages, allowed: Sequence[str]) -> str | None:
    """Return the agent that the last named answer of `messages` is by."""
    for message in reversed(messages):
        if message.role == "assistant" and message.name in allowed:
            return message.name
    return None


def _last(plan: Plan | None) -> str | None:
    return plan.agents[-1] if plan is not None and plan.agents else None
