from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.conversation import Api
from extproc.filters.api import Phase
from extproc.filters.chain import Setting
from extproc.http import Headers
from extproc.plan import FilterRecord

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


@pytest.fixture
def records() -> list[FilterRecord]:
    return []


@pytest.fixture
def make_setting(records: list[FilterRecord]) -> Callable[..., Setting]:
    """A setting of a request whose records are kept; `changes` are fields."""

    def make(**changes: Any) -> Setting:
        values: dict[str, Any] = {
            "phase": Phase.INPUT,
            "api": Api.CHAT,
            "client": Headers((("authorization", "Bearer k"), ("x-tenant", "t"))),
            "ours": (("x-request-id", "r"), ("x-outerloop-listener", "main")),
            "traceparent": TRACE,
            "record": records.append,
        }
        return Setting(**(values | changes))

    return make
