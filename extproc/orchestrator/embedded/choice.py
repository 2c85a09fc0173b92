"""From likelihoods to a choice: one agent, several in order, the one of before, or none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from extproc.orchestrator.embedded import calibration
from extproc.orchestrator.embedded.turn import Task, Turn

_LIKELY: Final = 0.5
_CLOSING: Final = 0.5
"""Cosine to a closing from which a turn may be one."""

_CLEAR: Final = 0.9
"""How likely a clause must be to speak for a turn that as a whole speaks for nobody."""

_ALONE: Final = 10.0
"""The lead in units of an agent that has no rival."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the scores say of a turn: a row for each of its texts, a column for each agent.

    `units` are the scorer's, `fits` the likelihoods that go with them. `kinship` says how near
    agents are to each other (cosine).
    """

    turn: Turn
    units: NDArray[np.float32]
    fits: NDArray[np.float32]
    kinship: NDArray[np.float32]
    closing: NDArray[np.float32]
    continuation: NDArray[np.float32]

    @property
    def says_goodbye(self) -> bool:
        """True for thanks and farewells that ask for nothing more."""
        near = float(self.closing[0])
        return near >= _CLOSING and near > self.continuation[0] and self.fits.max() < _LIKELY


@dataclass(frozen=True, slots=True)
class Choice:
    """Columns in the order they run (none: no agent fits), and how likely it is all of it right."""

    agents: tuple[int, ...]
    confidence: float


def choose(evidence: Evidence, previous: int | None, max_agents: int) -> Choice:
    """Choose agents for a turn; `previous` is the column of the agent of the turn before."""
    if previous is None:
        return _choose_anew(evidence, None, max_agents)
    if evidence.says_goodbye:
        return Choice((), 1 - float(evidence.fits.max()))
    if evidence.units.shape[1] == 1:
        return Choice((previous,), 1.0)
    leaves = calibration.leaves(leaving(evidence, previous))
    if leaves >= _LIKELY:
        choice = _choose_anew(evidence, previous, max_agents)
        if choice.agents:
            return Choice(choice.agents, leaves * choice.confidence)
    return Choice((previous,), 1 - min(leaves, _LIKELY))


def leaving(evidence: Evidence, previous: int) -> calibration.Leaving:
    """Return what speaks for and against leaving the agent of the turn before (its column)."""
    units = evidence.units
    others = np.delete(units, previous, axis=1).max(axis=1)
    row = int(np.argmax(others - units[:, previous] / 2))
    return calibration.Leaving(
        other=float(others[row]),
        previous=float(units[:, previous].max()),
        content_words=evidence.turn.content_words,
        continuation=float(evidence.continuation[row]),
    )


def _choose_anew(evidence: Evidence, left: int | None, max_agents: int) -> Choice:
    """Choose without regard to history, but for the agent that was `left`."""
    turn = evidence.turn
    steps = _steps(evidence, turn.coarse, left)
    finer = _steps(evidence, turn.fine, left) if turn.fine != turn.coarse else steps
    if len(finer) > max(len(steps), 1):
        steps = finer
    if len(steps) > 1:
        kept = dict(list(steps.items())[:max_agents])
        return Choice(tuple(kept), math.prod(kept.values()))
    return _one(evidence, left)


def _steps(evidence: Evidence, tasks: Sequence[Task], left: int | None) -> dict[int, float]:
    """Return the agents that have a task of their own, each with how likely that is."""
    steps: dict[int, float] = {}
    for agent, part in parts(evidence, tasks):
        likely = calibration.own_task(part)
        if agent != left and likely >= _LIKELY:
            steps[agent] = max(likely, steps.get(agent, 0.0))
    return steps


def parts(evidence: Evidence, tasks: Sequence[Task]) -> Iterator[tuple[int, calibration.OwnTask]]:
    """Yield each task's best agent, and what speaks for a task of its own.

    Nothing where all tasks are for one agent.
    """
    best = evidence.units.argmax(axis=1).tolist()
    wanted = [best[task.row] for task in tasks]
    agents = sorted(set(wanted))
    if len(agents) <= 1:
        return
    # What is best of all is best of these too; and nobody is nearer to an agent than it is itself.
    units = evidence.units[:, agents]
    units.sort(axis=1)
    leads = (units[:, -1] - units[:, -2]).tolist()
    kinship = evidence.kinship[agents][:, agents]
    kinship.sort(axis=1)
    nearest = dict(zip(agents, kinship[:, -2].tolist(), strict=True))
    whole = evidence.units[0].tolist()
    content_words = evidence.turn.counted.content_words
    among = set(np.argsort(-evidence.units[0])[: len(tasks) + 1].tolist())
    for task, agent in zip(tasks, wanted, strict=True):
        yield (
            agent,
            calibration.OwnTask(
                leads[task.row],
                whole[agent],
                task.marked,
                agent in among,
                content_words[task.row],
                nearest[agent],
            ),
        )


def _one(evidence: Evidence, left: int | None) -> Choice:
    """Choose one agent by the whole turn, or by the clause that tells most where that must."""
    units, row = evidence.units, 0
    if left is not None:
        units = units.copy()
        units[:, left] = -np.inf
    best, likely = _best(evidence, units, 0)
    if evidence.turn.coarse and (left is not None or likely < _LIKELY):
        tops = units.max(axis=1).tolist()
        clearest = max((task.row for task in evidence.turn.coarse), key=tops.__getitem__)
        clause_best, clause_likely = _best(evidence, units, clearest)
        if clause_likely >= (likely if left is not None else _CLEAR):
            row, best, likely = clearest, clause_best, clause_likely
    if likely < _LIKELY:
        return Choice((), 1 - likely)
    rivals = np.delete(units[row], best)
    lead = float(units[row, best] - rivals.max()) if rivals.size else _ALONE
    return Choice((best,), likely * calibration.right(lead))


def _best(evidence: Evidence, units: NDArray[np.float32], row: int) -> tuple[int, float]:
    best = int(units[row].argmax())
    return best, float(evidence.fits[row, best])
