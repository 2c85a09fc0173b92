from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from extproc.config.lenient import Lenient
from extproc.config.load import loads
from extproc.manifests.istio.render import render
from extproc.manifests.source import Manifests, Source

WEATHER = {"id": "weather", "url": "http://10.0.0.1:8080"}


@pytest.fixture
def make_source(tmp_path: Path) -> Callable[..., Source]:
    """Load a file of the agents given (default: one), all offered by one listener."""

    def make(
        *agents: dict[str, Any],
        listener: dict[str, Any] | None = None,
        environ: dict[str, str] | None = None,
        **rest: Any,
    ) -> Source:
        chosen = agents or (WEATHER,)
        offered = {"name": "travel", "port": 8001, "agents": [{"id": a["id"]} for a in chosen]}
        file = {
            "version": "v1",
            "agents": list(chosen),
            "listeners": [{**offered, **(listener or {})}],
            **rest,
        }
        text = yaml.safe_dump(file, sort_keys=False)
        variables = Lenient(environ or {})
        loaded = loads(text, "outerloop.yaml", variables, tmp_path)
        return Source(loaded.config, text, tuple(variables.asked))

    return make


@pytest.fixture
def make(make_source: Callable[..., Source]) -> Callable[..., Manifests]:
    """Render such a file."""
    return lambda *agents, **rest: render(make_source(*agents, **rest))


@pytest.fixture
def spec(make: Callable[..., Manifests]) -> Callable[..., Any]:
    """Return the spec of the only object of a kind, or of the one whose name has a part."""

    def find(kind: str, part: str, *agents: dict[str, Any], **rest: Any) -> Any:
        (found,) = (
            each["spec"]
            for each in make(*agents, **rest).documents
            if each["kind"] == kind and part in each["metadata"]["name"]
        )
        return found

    return find
