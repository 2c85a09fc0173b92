from __future__ import annotations

import subprocess
import sys

import pytest

from extproc import heap

PIECES = """
from pathlib import Path
from extproc import heap

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

pieces = [bytearray(8000) for _ in range(8000)]
last = bytearray(8000)
whole = resident()
pieces.clear()
heap.give_back()
print(whole - resident())
"""


@pytest.mark.skipif(heap._trim is None, reason="the C library keeps what it wants")
def test_what_is_free_goes_back() -> None:
    """Also from below what is still held."""
    freed = subprocess.check_output((sys.executable, "-c", PIECES), text=True)
    assert int(freed) > 50 * 2**20


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_trim", None)
    heap.give_back()
