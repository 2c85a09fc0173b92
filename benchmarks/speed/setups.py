"""What can run between the load and the agents, as values, and the YAML of the processor's file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import yaml

from benchmarks.speed.envoys import LISTENER
from benchmarks.speed.requests import topics

PLAN_HEADER: Final = "x-bench-plan"
_PATIENCE: Final = "100s"
_DECISION: Final = "120s"
"""So long that what is measured is slow rather than an error."""


class Front(Enum):
    """What clients talk to."""

    ALONE = "an Envoy that only forwards"
    PROCESSOR = "an Envoy with the processor"
    GENERATOR = "the same Envoy, empty server: generator"
    UVLOOP = "the same Envoy, empty server: generator on uvloop"
    SHORTEST = "the same Envoy, empty server: read, write, return on uvloop"
    LITELLM = "a peer: LiteLLM's proxy"
    EXTPROC_SDK = "the same Envoy, a peer: envoy-extproc-sdk"


EMPTY: Final = {Front.GENERATOR, Front.UVLOOP, Front.SHORTEST}


@dataclass(frozen=True, slots=True)
class Setup:
    """One stack. Those that are equal are one, and run once in a series.

    `model` is how long a model takes to decide, in milliseconds, and by how much that varies.
    `streams`: the agents stream events, rather than answer all at once. `tokens`: Envoy counts
    those that answers report, which is the default. `timed`: it is known what decisions cost, too.
    """

    front: Front = Front.PROCESSOR
    agents: int = 2
    model: tuple[int, int] | None = None
    filtered: bool = False
    streams: bool = False
    tokens: bool = True
    workers: int = 1
    timed: bool = False

    @property
    def calls(self) -> bool:
        """Whether the processor itself calls something."""
        return self.model is not None or self.filtered


@dataclass(frozen=True, slots=True)
class Places:
    """Ports of what a stack of this run uses; `egress` is of the stack alone."""

    answers: int
    services: int
    egress: int


def configuration(setup: Setup, places: Places) -> str:
    """Return the YAML of a stack's processor: agents of any number, all in one place.

    The access log is off: it is Envoy's, and nothing is to be compared with it.
    """
    agent_port = places.services if setup.streams else places.answers
    names = [f"agent-{number}" for number in range(setup.agents)]
    described = zip(names, topics(setup.agents), strict=True)
    listener: dict[str, Any] = {
        "type": "agent",
        "name": LISTENER,
        "port": 0,
        "decision_timeout": _DECISION,
        "agents": [
            {"id": name, "description": f"Everything about {topic}."} for name, topic in described
        ],
    }
    services = f"http://127.0.0.1:{places.services}"
    document: dict[str, Any] = {
        "version": "v1",
        "agents": [{"id": name, "url": f"http://127.0.0.1:{agent_port}"} for name in names],
        "listeners": [listener],
        "observability": {"access_log": None, "tokens": setup.tokens},
        "egress": {"url": f"http://127.0.0.1:{places.egress}"},
    }
    if len(names) > 1:
        listener["rules"] = [{"when": {"headers": {PLAN_HEADER: "1"}}, "agents": names[:2]}]
    if setup.model is not None:
        least, jitter = setup.model
        url = f"{services}/model/{least}/{jitter}/{names[-1]}/v1"
        model = {"url": url, "name": "bench", "timeout": _PATIENCE}
        document["orchestrator"] = {"strategy": "model", "model": model}
    if setup.filtered:
        document["filters"] = [{"id": "guard", "type": "http", "url": f"{services}/filter"}]
        listener["input_filters"] = ["guard"]
    return yaml.safe_dump(document, sort_keys=False)
