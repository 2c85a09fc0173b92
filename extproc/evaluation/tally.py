"""How often each agent of a set was expected, chosen, missed, and chosen in vain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from extproc.evaluation.confusions import Confusion, find_confusions
from extproc.evaluation.decide import Result
from extproc.orchestrator.api import AgentInfo


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts over the decided cases of one set of agents.

    `missed` counts cases that expect an agent and did not get it.
    """

    agents_set: str
    agents: Sequence[AgentInfo]
    results: Sequence[Result]
    confusions: Sequence[Confusion]
    expected: Counter[str]
    chosen: Counter[str]
    missed: Counter[str]


def tally(agents_set: str, agents: Sequence[AgentInfo], results: Iterable[Result]) -> Tally:
    """Count the results of a set; cases that were not decided are left out."""
    decided = [r for r in results if r.prediction and r.case.agents_set == agents_set]
    return Tally(
        agents_set=agents_set,
        agents=agents,
        results=decided,
        confusions=find_confusions(decided),
        expected=Counter(agent for r in decided for agent in r.case.expected),
        chosen=Counter(agent for r in decided for agent in r.agents),
        missed=Counter(a for r in decided for a in r.case.expected if a not in r.agents),
    )
