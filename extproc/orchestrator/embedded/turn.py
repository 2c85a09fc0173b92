"""The texts of a turn that are scored: as a whole, by clause, and by part of a clause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from extproc.conversation import Conversation
from extproc.orchestrator.embedded import clauses
from extproc.orchestrator.embedded.counts import WordCounts, count_words
from extproc.orchestrator.embedded.text import clip


class Task(NamedTuple):
    """A text that may be a task of its own, by its row; `marked` where the user's words say so."""

    row: int
    marked: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user said, and the texts in it that may be tasks.

    `texts` begins with the whole; none comes twice. `coarse` are the clauses, `fine` those that
    fall into parts replaced by their parts; both in the order of the tasks. `counted` are the
    words of the texts.
    """

    texts: tuple[str, ...]
    coarse: tuple[Task, ...]
    fine: tuple[Task, ...]
    counted: WordCounts

    @property
    def content_words(self) -> int:
        """How many words of the whole carry meaning of their own."""
        return self.counted.content_words[0]


def read_turn(conversation: Conversation, spelling: Callable[[str], str]) -> Turn:
    """Return the turn that a conversation ends with, its slips corrected by `spelling`."""
    index = conversation.turn
    text = spelling(clip(conversation.messages[index].text)) if index is not None else ""
    rows = {text: 0}
    coarse: list[Task] = []
    fine: list[Task] = []
    for clause in clauses.split(text):
        coarse.append(Task(rows.setdefault(clause.text, len(rows)), clause.marked))
        if len(clause.parts) == 1:
            fine.append(coarse[-1])
        else:
            first, *rest = clause.parts
            fine.append(Task(rows.setdefault(first, len(rows)), clause.marked))
            fine.extend(Task(rows.setdefault(part, len(rows)), marked=False) for part in rest)
    texts = tuple(rows)
    return Turn(texts, tuple(coarse), tuple(fine), count_words(texts))
