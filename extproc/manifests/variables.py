"""Headers of agents whose values come from the environment: they must not be rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extproc.config.model.agents import Agent
from extproc.config.yaml_source import parse
from extproc.manifests.source import Source


@dataclass(frozen=True, slots=True)
class Variables:
    """Which headers of which agents are written with an environment variable."""

    headers: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, source: Source) -> Variables:
        """Look them up in the text: what a variable holds must not be rendered."""
        tree = parse(source.text, "")
        found: dict[str, set[str]] = {}
        for location, node in tree.walk():
            match location:
                case ("agents", int() as index, "headers", str() as header):
                    agent = tree.at(("agents", index, "id"))
                    if agent is not None and "$" in node.raw.replace("$$", ""):
                        found.setdefault(agent.raw, set()).add(header.lower())
        return cls({agent: frozenset(headers) for agent, headers in found.items()})

    def among(self, agent: Agent) -> tuple[str, ...]:
        """Return those of an agent, in the order of the file."""
        named = self.headers.get(agent.id, frozenset())
        return tuple(header for header in agent.headers if header in named)
