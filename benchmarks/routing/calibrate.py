"""Fit the figures of `extproc/orchestrator/embedded/calibration.py` to labelled cases.

usage: calibrate.py DIR [DIR ...]

Each DIR holds `agents.json` or `catalogues.json`, and `cases.jsonl`, as `outerloop eval` takes
them. Every set of agents is fitted with none and with up to five examples an agent, and weighs
the same. Printed are the figures of all sets together, and for each set how often the figures
of all others are right on it (threshold 0.5): the share that a new set may expect. Large sets are
also cut into smaller ones, where what was meant for an agent left out fits none: hard cases, so
that these shares are lower than those of an evaluation.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extproc.conversation import Api, Conversation, Message
from extproc.json_document import JsonObject
from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.embedded import calibration
from extproc.orchestrator.embedded.catch_all import is_catch_all
from extproc.orchestrator.embedded.choice import Evidence, leaving, parts
from extproc.orchestrator.embedded.dense import TokenTable
from extproc.orchestrator.embedded.scorer import Scorer
from extproc.orchestrator.embedded.turn import read_turn

NONE_SHARE = 0.25  # what share of first turns is expected to fit no agent
SWITCH_SHARE = 0.4  # and of later turns, to go to another agent
FIRST_TURN = 0.05  # what first turns count beside later ones there
FEW = 30  # so many parts of turns tell half of what a set can tell
FIGURES = ("_FITS", "_RIGHT", "_OWN_TASK", "_LEAVES")
CEILING = 1.5

Case = dict[str, Any]
Figures = NDArray[np.float64]


@dataclass
class Samples:
    """Rows of features with their labels and weights."""

    rows: list[tuple[float, ...]] = field(default_factory=list)
    labels: list[bool] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(self, row: tuple[float, ...], *, label: bool, weight: float = 1.0) -> None:
        """Add one sample."""
        self.rows.append(row)
        self.labels.append(label)
        self.weights.append(weight)

    def balance(self, positive_share: float) -> None:
        """Let the positive labels weigh `positive_share` of one."""
        for label, share in ((True, positive_share), (False, 1 - positive_share)):
            own = [place for place, each in enumerate(self.labels) if each is label]
            total = sum(self.weights[place] for place in own) or 1.0
            for place in own:
                self.weights[place] *= share / total

    def temper(self) -> None:
        """Let a set with many samples weigh no more than one, and one with few still less."""
        self.weights = [weight / (len(self.weights) + FEW) for weight in self.weights]


def fit(samples: list[Samples], ridge: float = 1e-3) -> Figures:
    """Return the weights of a logistic regression, the bias last (Newton's method)."""
    rows = np.array([row for each in samples for row in each.rows])
    x = np.column_stack([rows, np.ones(len(rows))])
    y = np.array([label for each in samples for label in each.labels], float)
    w = np.array([weight for each in samples for weight in each.weights])
    w /= w.sum()
    spread = np.append(rows.std(axis=0), 1)
    x /= spread
    theta, penalty = np.zeros(x.shape[1]), np.diag([ridge] * rows.shape[1] + [1e-9])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ theta))
        hessian = (x * (w * p * (1 - p))[:, None]).T @ x + penalty
        theta -= np.linalg.solve(hessian, x.T @ (w * (p - y)) + penalty @ theta)
    figures: Figures = theta / spread
    return figures


def evidence_of(scorer: Scorer, case: Case) -> tuple[Evidence, float]:
    """Return the evidence of a case's turn, and how near it is to idle talk."""
    messages = tuple(Message(each["role"], each["content"]) for each in case["messages"])
    turn = read_turn(Conversation(Api.CHAT, JsonObject(b"{}", {}), None, messages), str)
    scored = scorer.score(turn.counted)
    odds = calibration.odds(scored.units, scored.off_topic[:, None])
    fits = calibration.fits(odds.max(axis=0))
    kinship = scorer.index.kinship
    talk = scored.closing, scored.continuation
    evidence = Evidence(turn, scored.units, odds, fits, kinship, *talk)
    return evidence, float(scored.off_topic[0])


def samples_of(agents: list[AgentInfo], cases: list[Case], table: TokenTable) -> list[Samples]:
    """Return the samples of one set of agents, in the order of `FIGURES`."""
    scorer, ids, chance = (
        Scorer(agents, table, table),
        [agent.id for agent in agents],
        random.Random(3),
    )
    fits, right, own_task, leaves = Samples(), Samples(), Samples(), Samples()
    for case in cases:
        evidence, off_topic = evidence_of(scorer, case)
        expected, previous = case["expected"], case.get("previous_agent")
        add_parts(own_task, evidence, ids, case)
        if case["kind"] == "multi":
            continue
        units = np.sort(evidence.units[0])
        if previous is not None and expected:
            figures = leaving(evidence, ids.index(previous))
            leaves.add(figures.features(), label=expected != [previous])
        elif len(case["messages"]) == 1:
            fits.add((min(float(units[-1]), CEILING), off_topic), label=bool(expected))
            if expected:
                lead = min(float(units[-1] - units[-2]), CEILING)
                right.add((lead,), label=ids[int(evidence.units[0].argmax())] == expected[0])
                # A first turn leaves whoever had the turn before, and stays with its own agent.
                other = chance.choice([agent for agent in ids if agent != expected[0]])
                for before in (other, expected[0]):
                    figures = leaving(evidence, ids.index(before))
                    leaves.add(figures.features(), label=before == other, weight=FIRST_TURN)
    if all(weight == FIRST_TURN for weight in leaves.weights):
        leaves = Samples()
    fits.balance(1 - NONE_SHARE)
    right.balance(sum(right.labels) / max(len(right.labels), 1))
    leaves.balance(SWITCH_SHARE)
    own_task.temper()
    return [fits, right, own_task, leaves]


def add_parts(samples: Samples, evidence: Evidence, ids: list[str], case: Case) -> None:
    """Add what the parts of a turn say, where any agent is expected."""
    for tasks in {evidence.turn.coarse, evidence.turn.fine} if case["expected"] else ():
        for agent, part in parts(evidence, tasks):
            if ids[agent] != case.get("previous_agent"):
                samples.add(part.features(), label=ids[agent] in case["expected"])


def read_sets(folders: list[Path]) -> Iterator[tuple[str, list[AgentInfo], list[Case]]]:
    """Yield each set of agents without and with examples, and its cases."""
    for folder in folders:
        file = next(f for f in (folder / "agents.json", folder / "catalogues.json") if f.exists())
        cases = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines()]
        for name, described in json.loads(file.read_text()).items():
            own = [case for case in cases if case["agents_set"] == name]
            for count in (0, 5):
                agents = [
                    AgentInfo(each["id"], each["description"], tuple(each["examples"][:count]))
                    for each in described
                ]
                # Who takes the rest is decided after these figures.
                if not any(is_catch_all(agent) for agent in agents):
                    yield name, agents, own
                    yield from ((name, *each) for each in drawn(agents, own))


def drawn(
    agents: list[AgentInfo], cases: list[Case]
) -> Iterator[tuple[list[AgentInfo], list[Case]]]:
    """Yield smaller catalogues: what was meant for an agent left out now fits none."""
    chance = random.Random(0)
    firsts = [case for case in cases if len(case["messages"]) == 1 and case["kind"] != "multi"]
    for size in (3, 6, 12, 30) * 3:
        if size < 0.7 * len(agents):
            few = chance.sample(agents, size)
            ids = {agent.id for agent in few}
            inside = [case for case in firsts if case["expected"] and case["expected"][0] in ids]
            rest = [case for case in firsts if case not in inside]
            outside = [
                {**case, "expected": [], "kind": "none"}
                for case in chance.sample(rest, min(len(inside), len(rest), 40))
            ]
            yield few, inside[:60] + outside


def main() -> None:
    """Fit and print."""
    table = TokenTable.shipped()
    sets = [
        (name, samples_of(agents, cases, table))
        for name, agents, cases in read_sets([Path(each) for each in sys.argv[1:]])
    ]
    for kind, title in enumerate(FIGURES):
        usable = [
            (name, each[kind]) for name, each in sets if {*each[kind].labels} == {True, False}
        ]
        print(title, np.round(fit([samples for _, samples in usable]), 2).tolist())
        for held in sorted({name for name, _ in usable}):
            theta = fit([samples for name, samples in usable if name != held])
            share = accuracy(theta, [samples for name, samples in usable if name == held])
            print(f"    {held:16} {share:.3f}")


def accuracy(theta: Figures, sets: list[Samples]) -> float:
    """Return how often the figures are right."""
    right = [
        (float(np.dot(theta[:-1], row) + theta[-1]) > 0) == label
        for samples in sets
        for row, label in zip(samples.rows, samples.labels, strict=True)
    ]
    return sum(right) / len(right)


if __name__ == "__main__":
    main()
