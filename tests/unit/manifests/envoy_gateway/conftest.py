from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from extproc.manifests.envoy_gateway.render import render
from extproc.manifests.source import Manifests, Source


@dataclass(frozen=True)
class Rendered:
    """What was rendered, to be looked up by kind and name."""

    manifests: Manifests

    def spec(self, kind: str, name: str) -> Any:
        found = {
            each["metadata"]["name"]: each["spec"]
            for each in self.manifests.documents
            if each["kind"] == kind
        }
        assert name in found, sorted(found)
        return found[name]

    def names(self, kind: str) -> list[str]:
        return [
            each["metadata"]["name"] for each in self.manifests.documents if each["kind"] == kind
        ]

    def rule(self, route: str, number: int = 0) -> Any:
        return self.spec("HTTPRoute", route)["rules"][number]

    def filters(self, route: str, number: int = 0) -> dict[str, Any]:
        """Return the filters of a rule by their types, and references by themselves."""
        return {
            each["type"]: next(value for key, value in each.items() if key != "type")
            for each in self.rule(route, number)["filters"]
        }

    def note(self, beginning: str) -> str:
        (found,) = (each for each in self.manifests.notes if each.startswith(beginning))
        return found

    def notes(self, beginning: str) -> list[str]:
        return [each for each in self.manifests.notes if each.startswith(beginning)]


@pytest.fixture
def rendered(make_source: Callable[..., Source]) -> Callable[..., Rendered]:
    """Render a file of the agents given (default: one), all offered by one listener."""

    def make(*agents: dict[str, Any], **rest: Any) -> Rendered:
        return Rendered(render(make_source(*agents, **rest)))

    return make
