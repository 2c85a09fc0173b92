from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from extproc.config.model.filters import Filter


def test_the_defaults_are_those_of_the_contract() -> None:
    each = Filter(id="f")
    assert (each.type, each.mode, each.on_error, each.stream) == (
        "mcp",
        "enforce",
        "deny",
        "events",
    )
    assert each.timeout == timedelta(seconds=5)


def test_forwarded_headers_are_lower_case() -> None:
    assert Filter.model_validate({"id": "f", "forward_headers": ["X-A"]}).forward_headers == (
        "x-a",
    )


@pytest.mark.parametrize("on_error", ["ignore", None, True])
def test_a_failing_filter_denies_or_is_skipped(on_error: object) -> None:
    with pytest.raises(ValidationError):
        Filter.model_validate({"id": "f", "on_error": on_error})
