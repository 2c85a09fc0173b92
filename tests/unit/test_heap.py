from __future__ import annotations

import asyncio
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


async def given_back(monkeypatch: pytest.MonkeyPatch, *sizes: int) -> list[str]:
    """Return when memory was given back: with a message of these sizes, or a while after them."""
    found: list[str] = []
    now = ["at once"]
    monkeypatch.setattr(heap, "give_back", lambda: found.append(now[0]))
    monkeypatch.setattr(heap, "LATER", 0.01)
    here = heap.Heap()
    for size in sizes:
        here.received(size)
    now[0] = "later"
    await asyncio.sleep(0.05)
    return found


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((heap.NOTICED - 1,), []),
        ((heap.NOTICED,), ["later"]),
        ((heap.LARGE,), ["at once", "later"]),
        # There is one look for all that came meanwhile.
        ((heap.LARGE, heap.LARGE, heap.NOTICED), ["at once", "at once", "later"]),
    ],
)
async def test_when_it_goes_back(
    monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...], expected: list[str]
) -> None:
    assert await given_back(monkeypatch, *sizes) == expected


async def test_what_comes_later_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[None] = []
    monkeypatch.setattr(heap, "give_back", lambda: found.append(None))
    monkeypatch.setattr(heap, "LATER", 0.001)
    here = heap.Heap()
    for times in (1, 2):
        here.received(heap.NOTICED)
        async with asyncio.timeout(5):
            while len(found) < times:
                await asyncio.sleep(0.001)
