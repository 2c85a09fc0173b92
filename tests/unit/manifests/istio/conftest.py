from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.manifests.istio.render import render
from extproc.manifests.source import Manifests, Source


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
