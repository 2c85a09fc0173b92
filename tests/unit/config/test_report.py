from __future__ import annotations

from extproc.config.faults import Fault
from extproc.config.report import as_json, as_text

ERROR = Fault("f.yaml", 2, 3, "agents", "is wrong")
WARNING = Fault("f.yaml", 1, 1, "mode", "has no effect")


def test_errors_come_before_warnings() -> None:
    assert as_text([ERROR], [WARNING]) == (
        "f.yaml:2:3: is wrong\nf.yaml:1:1: warning: has no effect"
    )


def test_nothing_is_said_about_a_good_file() -> None:
    assert as_text([], []) == ""


def test_json_has_every_part() -> None:
    fault = {"file": "f.yaml", "line": 2, "column": 3, "path": "agents", "message": "is wrong"}
    assert as_json([ERROR], []) == {"ok": False, "errors": [fault], "warnings": []}


def test_warnings_are_no_reason_to_fail() -> None:
    report = as_json([], [WARNING])
    assert (report["ok"], len(report["warnings"])) == (True, 1)
