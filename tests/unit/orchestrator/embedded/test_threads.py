from __future__ import annotations

import os
import subprocess
import sys

import pytest

SHOW = "import extproc.orchestrator.embedded, os; print(os.environ['OPENBLAS_NUM_THREADS'])"


@pytest.mark.parametrize(("given", "used"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "4"}, "4")])
def test_one_thread_unless_told_otherwise(given: dict[str, str], used: str) -> None:
    inherited = {name: each for name, each in os.environ.items() if "OPENBLAS" not in name}
    shown = subprocess.check_output([sys.executable, "-c", SHOW], env=inherited | given, text=True)
    assert shown.strip() == used
