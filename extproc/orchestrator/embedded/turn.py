"""The texts of a turn that are scored: as a whole, by clause, and by part of a clause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from extproc.conversation import Conversation
from extproc.orchestrator.embedded import clauses
from extproc.orchestrator.embedded.text import clip, content_words


@dataclass(frozen=True, slots=True)
class Task:
    """A text that may be a task of its own, by its row; `marked` where the user's words say so."""

    row: int
    marked: bool
    content_words: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user said, and the texts in it that may be tasks.

    `texts` begins with the whole. `coarse` are the clauses, `fine` those that fall into parts
    replaced by their parts; both in the order of the tasks.
    """

    texts: tuple[str, ...]
    coarse: tuple[Task, ...]
    fine: tuple[Task, ...]
    content_words: int


def read_turn(conversation: Conversation, spelling: Callable[[str], str]) -> Turn:
    """Return the turn that a conversation ends with, its slips corrected by `spelling`."""
    index = conversation.turn
    text = spelling(clip(conversation.messages[index].text)) if index is not None else ""
    texts = [text]

    def add(part: str, *, marked: bool) -> Task:
        texts.append(part)
        return Task(len(texts) - 1, marked, content_words(part))

    coarse: list[Task] = []
    fine: list[Task] = []
    for clause in clauses.split(text):
        coarse.append(add(clause.text, marked=clause.marked))
        if len(clause.parts) == 1:
            fine.append(coarse[-1])
        else:
            first, *rest = clause.parts
            fine.append(add(first, marked=clause.marked))
            fine.extend(add(part, marked=False) for part in rest)
    return Turn(tuple(texts), tuple(coarse), tuple(fine), content_words(text))
