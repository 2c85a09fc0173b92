"""Faults as `outerloop check` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from extproc.config.faults import Fault


def as_text(errors: Sequence[Fault], warnings: Sequence[Fault]) -> str:
    """Return a line per fault, errors first: `file:line:column: [warning: ]message`."""
    lines = [str(error) for error in errors]
    lines += [
        f"{each.file}:{each.line}:{each.column}: warning: {each.message}" for each in warnings
    ]
    return "\n".join(lines)


def as_json(errors: Sequence[Fault], warnings: Sequence[Fault]) -> dict[str, Any]:
    """Return the object of `check --json`: `{"ok", "errors", "warnings"}`."""
    return {
        "ok": not errors,
        "errors": [asdict(error) for error in errors],
        "warnings": [asdict(warning) for warning in warnings],
    }
