from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.speed import usage
from benchmarks.speed.processes import Children, NotStarted
from benchmarks.speed.requests import MIB

WORK = 50_000_000


@contextmanager
def child(code: str) -> Iterator[subprocess.Popen[str]]:
    argv = (sys.executable, "-c", code)
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def test_threads_that_have_ended_are_counted_too() -> None:
    before = usage.cpu_ns([os.getpid()])

    def work() -> None:
        while time.thread_time_ns() < WORK:
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert usage.cpu_ns([os.getpid()]) - before >= WORK


def test_a_process_that_has_ended_has_no_time() -> None:
    with child("") as process:
        process.wait()
    with pytest.raises(OSError, match="Invalid"):
        usage.cpu_ns([process.pid])


def test_the_peak_is_what_was_held_since_it_was_forgotten() -> None:
    code = "import sys\nfor line in sys.stdin:\n    b'x' * int(line)\n    print(flush=True)\n"
    with child(code) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def hold(size: int) -> int:
            usage.forget_peak([process.pid])
            before = usage.resident([process.pid])
            print(size, file=process.stdin, flush=True)
            process.stdout.readline()  # type: ignore[union-attr] # asserted above
            return usage.peak([process.pid]) - before

        hold(0)
        assert 60 * MIB < hold(64 * MIB) < 70 * MIB
        assert hold(0) < MIB


def test_a_family_is_a_process_and_what_it_started() -> None:
    code = (
        "import subprocess, sys\n"
        "inner = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        "print(inner.pid, flush=True)\n"
        "input()\n"
        "inner.communicate()\n"
    )
    with child(code) as process:
        assert process.stdout is not None
        inner = int(process.stdout.readline())
        assert usage.family(process.pid) == (process.pid, inner)


def test_children_end_with_their_block_whatever_they_do(tmp_path: Path) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, print); print('here', flush=True)"
    with Children(patience=0.1) as children:
        argv = (sys.executable, "-c", f"{stubborn}\nimport time; time.sleep(60)")
        started = children.start("stubborn", argv, tmp_path)
        started.line("here")
        assert started.runs
    assert not started.runs


def test_what_children_leave_behind_ends_too(tmp_path: Path) -> None:
    code = (
        "import signal, subprocess, sys\n"
        "more = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "inner = subprocess.Popen(more, start_new_session=True)\n"
        "print(inner.pid, flush=True)\n"
        "signal.pause()\n"
    )
    with Children() as children:
        started = children.start("parent", (sys.executable, "-c", code), tmp_path)
        inner = int(started.line(""))
        assert usage.cpu_ns([inner])
    eventually_ended(inner)


def eventually_ended(pid: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":  # nobody has asked for its exit code yet
            return
    raise AssertionError(f"{pid} runs on")


def test_a_process_that_ends_before_it_says_what_it_should_is_told_of(tmp_path: Path) -> None:
    with Children() as children:
        argv = (sys.executable, "-c", "raise SystemExit('no such thing')")
        started = children.start("broken", argv, tmp_path)
        with pytest.raises(NotStarted, match="no such thing"):
            started.line("ready")
