"""What processes use of the machine: CPU time and memory, as the kernel counts them (Linux)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_SCHEDULED: Final = 2
"""The kind of a process's clock that counts what the scheduler gave it."""
_FORGET_PEAK: Final = "5"


def cpu_ns(processes: Iterable[int]) -> int:
    """Return the nanoseconds that all threads of processes have run, ended ones too.

    Raises OSError where one of them has ended. (The sums of `/proc/PID/task/*/schedstat` would lack
    threads that ended, `/proc/PID/stat` counts in ticks of 10 ms.)
    """
    return sum(time.clock_gettime_ns((~pid << 3) | _SCHEDULED) for pid in processes)


def resident(processes: Iterable[int]) -> int:
    """Return the bytes that processes hold now. Raises OSError where one of them has ended."""
    return sum(_status(pid, "VmRSS") for pid in processes)


def peak(processes: Iterable[int]) -> int:
    """Return the most bytes that each process has held since `forget_peak`, added up."""
    return sum(_status(pid, "VmHWM") for pid in processes)


def forget_peak(processes: Iterable[int]) -> None:
    """Begin anew with what processes hold now. Raises OSError where the kernel does not let us."""
    for pid in processes:
        Path(f"/proc/{pid}/clear_refs").write_text(_FORGET_PEAK)


def family(pid: int) -> tuple[int, ...]:
    """Return a process and all that it has started, as they are now."""
    return tuple(_family(pid))


def began(pid: int) -> int:
    """Return when a process began, in ticks since the machine did. Raises OSError."""
    # Its name stands in brackets, and may have any character in it.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19])


def _family(pid: int) -> Iterator[int]:
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _family(int(child))


def _status(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} has ended")
