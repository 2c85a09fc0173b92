"""docs/doctor.md names every probe, and shows them in their order."""

from __future__ import annotations

import re
from pathlib import Path

from extproc.doctor.examination import OF_ENVOY, PROBES, REACHABLE, READABLE
from extproc.doctor.probe import Outcome

PAGE = (Path(__file__).parents[2] / "docs/doctor.md").read_text(encoding="utf-8")
FROM_OUTSIDE = [REACHABLE, *(probe.name for probe in PROBES)]


def test_every_probe_has_its_row() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| .* \| .* \|$", PAGE, re.MULTILINE)
    assert rows == [*FROM_OUTSIDE, READABLE, *(probe.name for probe in OF_ENVOY)]


def test_what_is_shown_is_in_their_order() -> None:
    outcomes = "|".join(outcome.value for outcome in Outcome)
    assert re.findall(rf"^(?:{outcomes}) +([a-z-]+)", PAGE, re.MULTILINE) == FROM_OUTSIDE
