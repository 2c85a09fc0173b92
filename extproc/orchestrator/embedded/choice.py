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


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the scores say of a turn: a row for each of its texts, a column for each agent.

    `units` are the scorer's, `odds` the log-odds of a fit that go with them. `fits` says how likely
    each agent is to fit any of the texts, `kinship` how near agents are to each other (cosine).
    """

    turn: Turn
    units: NDArray[np.float32]
    odds: NDArray[np.float32]
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
    others = _without(units, previous).max(axis=1)
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

    Tasks that are the same come once. Nothing where all are for one agent.
    """
    best = evidence.units.argmax(axis=1).tolist()
    agents = sorted({best[task.row] for task in tasks})
    if len(agents) <= 1:
        return
    units = evidence.units.take(agents, axis=1).tolist()
    whole = dict(zip(agents, units[0], strict=True))
    # Nobody is nearer to an agent than it is itself.
    kinship = evidence.kinship.take(agents, axis=0).take(agents, axis=1).tolist()
    nearest = {agent: sorted(near)[-2] for agent, near in zip(agents, kinship, strict=True)}
    content_words = evidence.turn.counted.content_words
    few = float(np.sort(evidence.units[0])[-len(tasks) - 1 :][0])
    for row, marked in dict.fromkeys(tasks):
        agent = best[row]
        # What is best of all is best of these too.
        next_best, lead = sorted(units[row])[-2:]
        among = whole[agent] >= few
        words = content_words[row]
        own = calibration.OwnTask(
            lead - next_best, whole[agent], marked, among, words, nearest[agent]
        )
        yield agent, own


def _one(evidence: Evidence, left: int | None) -> Choice:
    """Choose one agent by the whole turn, or by the clause that tells most where that must."""
    units, row = evidence.units, 0
    if left is not None:
        units = _without(units, left)
    best, likely = _best(evidence, units, 0)
    if evidence.turn.coarse and (left is not None or likely < _LIKELY):
        tops = units.max(axis=1).tolist()
        clearest = max((task.row for task in evidence.turn.coarse), key=tops.__getitem__)
        clause_best, clause_likely = _best(evidence, units, clearest)
        if clause_likely >= (likely if left is not None else _CLEAR):
            row, best, likely = clearest, clause_best, clause_likely
    if likely < _LIKELY:
        return Choice((), 1 - likely)
    ranked: list[float] = np.sort(units[row])[-2:].tolist()
    lead = ranked[1] - ranked[0] if len(ranked) > 1 else math.inf
    return Choice((best,), likely * calibration.right(lead))


def _best(evidence: Evidence, units: NDArray[np.float32], row: int) -> tuple[int, float]:
    best = int(units[row].argmax())
    return best, calibration.likely(float(evidence.odds[row, best]))


def _without(units: NDArray[np.float32], agent: int) -> NDArray[np.float32]:
    units = units.copy()
    units[:, agent] = -np.inf
    return units
