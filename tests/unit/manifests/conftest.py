from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from extproc.config.lenient import Lenient
from extproc.config.load import loads
from extproc.manifests.source import Source

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
