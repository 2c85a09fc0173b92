"""What workers find in their environment: how libraries of theirs use cores and memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Final

_HELD: Final = 32 * 2**20
"""Bytes at the end of the heap that are kept for what comes next, for a second (`extproc.heap`)."""
_MAPPED: Final = 16 * 2**20
"""Bytes of a piece of memory that is mapped by itself. Its ends always come in small pages."""

_OURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Workers share the cores: threads of one decision would wait for those of others.
        "OPENBLAS_NUM_THREADS": "1",
        # What a large body took goes back to the system soon; that it comes in huge pages, where
        # the kernel has them, takes a third off the CPU of reading one. Of one arena, all threads
        # have what one of them has freed: they take turns anyhow, for the interpreter (glibc
        # manual, Memory Allocation Tunables).
        "GLIBC_TUNABLES": (
            f"glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold={_MAPPED}"
            f":glibc.malloc.trim_threshold={_HELD}:glibc.malloc.arena_max=1"
        ),
    }
)
_GRPC: Final = ("GRPC_EXPERIMENTS", "-event_engine_listener")
"""gRPC's first way to listen, Python's until 1.80: it switches threads a third less often.

https://github.com/grpc/grpc/blob/master/doc/environment_variables.md
"""
_HAS_BOTH_WAYS: Final = (1, 85)
"""The last version of grpcio that was seen to have it; one that has not would print an error."""


def of_workers(metrics: Path) -> dict[str, str]:
    """Return what is added to our environment for workers that count into the folder `metrics`.

    What an operator has set stays.
    """
    settings = dict(_OURS)
    if tuple(map(int, version("grpcio").split(".")[:2])) <= _HAS_BOTH_WAYS:
        settings[_GRPC[0]] = _GRPC[1]
    own = {name: value for name, value in settings.items() if name not in os.environ}
    return {**own, "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
