from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from extproc.supervisor import environment
from extproc.supervisor.environment import of_workers

SERVE = """
import asyncio, grpc.aio
async def serve():
    server = grpc.aio.server()
    server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await server.stop(0)
asyncio.run(serve())
"""

ARENAS = """
import ctypes, threading
library = ctypes.CDLL(None)
library.fdopen.restype = library.malloc.restype = ctypes.c_void_p
here = threading.Barrier(4)
def allocate():
    here.wait(5)
    library.malloc(100_000)
threads = [threading.Thread(target=allocate) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
file = ctypes.c_void_p(library.fdopen(1, b"w"))
library.malloc_info(0, file)
library.fflush(file)
"""


def test_workers_count_where_they_are_told_to() -> None:
    assert of_workers(Path("/x/metrics"))["PROMETHEUS_MULTIPROC_DIR"] == "/x/metrics"


@pytest.mark.parametrize("name", ["OPENBLAS_NUM_THREADS", "GLIBC_TUNABLES", "GRPC_EXPERIMENTS"])
def test_what_an_operator_has_set_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name, raising=False)
    assert name in of_workers(Path())
    monkeypatch.setenv(name, "3")
    assert name not in of_workers(Path())


def test_a_later_grpc_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRPC_EXPERIMENTS", raising=False)
    monkeypatch.setattr(environment, "version", lambda _name: "2.0.1rc1")
    assert "GRPC_EXPERIMENTS" not in of_workers(Path())


def test_grpc_knows_all_that_it_is_told() -> None:
    """It prints an error about an experiment that it does not have."""
    told = subprocess.run(
        (sys.executable, "-c", SERVE), env=of_workers(Path()), capture_output=True, check=True
    )
    assert told.stderr == b""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others have no such settings")
def test_all_threads_allocate_from_one_arena() -> None:
    told = subprocess.check_output((sys.executable, "-c", ARENAS), env=of_workers(Path()))
    assert told.count(b"<heap nr=") == 1
