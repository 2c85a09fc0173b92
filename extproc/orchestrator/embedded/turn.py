"""The texts of a turn that are scored: as a whole, by clause, and by part of a clause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from extproc.conversation import Conversation
from extproc.orchestrator.embedded import clauses
from extproc.orchestrator.embedded.text import clip, content_words

_MARKED_BAR: Final = 0.3
_SENTENCE_BAR: Final = 0.65
_PART_BAR: Final = 0.45


@dataclass(frozen=True, slots=True)
class Task:
    """A text that may be a task of its own: its row, and how likely that must be to count.

    It is `marked` where the user's words say so.
    """

    row: int
    bar: float
    marked: bool


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
    texts, coarse, fine = [text], [], []
    for clause in clauses.split(text):
        bar = _MARKED_BAR if clause.marked else _SENTENCE_BAR
        task = Task(len(texts), bar, clause.marked)
        texts.append(clause.text)
        coarse.append(task)
        if len(clause.parts) == 1:
            fine.append(task)
            continue
        fine.append(Task(len(texts), bar if clause.marked else _PART_BAR, clause.marked))
        rows = range(len(texts) + 1, len(texts) + len(clause.parts))
        fine.extend(Task(row, _PART_BAR, marked=False) for row in rows)
        texts.extend(clause.parts)
    return Turn(tuple(texts), tuple(coarse), tuple(fine), content_words(text))
